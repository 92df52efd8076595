"""What identity costs: logins, checks of tokens, lists of people, and a read with everything on."""

import asyncio
import functools
import random
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import asyncpg
import grpc
from argon2 import PasswordHasher
from argon2.low_level import Type
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dashtrack.auth.v1 import auth_service_pb2 as auth
from dashtrack.users.v1 import user_service_pb2 as users

from services.auth.settings import AuthSettings
from services.chassis.identity import Caller, Role
from services.chassis.tokens import TokenVerifier
from tests.bench.loads import Parcel, closed_loop
from tests.bench.report import Figure, against
from tests.bench.rig import Rig, running_noop
from tests.bench.wire_http1 import Http1Reads
from tests.bench.wire_http2 import Http2Uploads
from tests.fixtures.platform import PASSWORD, Member
from tests.fixtures.tokens import ISSUER, StaticKeys, TokenMint

_ROUNDS = 3
_LOGINS = 60
_MEMBERS = 8
# An account takes ten wrong passwords from one address before it is throttled.
_GUESSES_EACH = 8
_TOKENS = 3000
_RECALLS = 200_000
_PEOPLE = 100_000
_FEW_PEOPLE = 100
_PAGES = 60
_DEEP_PAGES = 80
_READS = 2000


async def measure_logins(rig: Rig) -> list[Figure]:
    """Compare logins with bare hashes on as many threads, and unknown accounts with known ones."""
    members = [rig.platform.member(Role.MASTER, None) for _ in range(_MEMBERS)]
    threads = _setting("password_threads")
    rates, hash_rates = [], []
    async with grpc.aio.insecure_channel(_target(rig, "auth")) as channel:
        log_in = _unary(channel, "/dashtrack.auth.v1.AuthService/Login", auth.LoginRequest)
        for _ in range(_ROUNDS):
            hash_rates.append(await asyncio.to_thread(_hashes_per_s, threads))
            rates.append(await _logins_per_s(log_in, members, threads))
        wrong, unknown = await _guesses_ms(log_in, members)
    ratio = unknown / wrong
    return [
        against("identity.logins", median(rates), "logins/s", median(hash_rates), at_least=0.75),
        Figure(
            name="identity.unknown_account",
            value=unknown,
            unit="ms",
            baseline=wrong,
            ratio=ratio,
            goal="0.9 to 1.1x",
            met=0.9 <= ratio <= 1.1,
        ),
    ]


def _setting(name: str) -> int:
    default: int = AuthSettings.model_fields[name].default
    return default


def _hashes_per_s(threads: int) -> float:
    hasher = PasswordHasher(
        time_cost=_setting("argon2_passes"),
        memory_cost=_setting("argon2_memory_kib"),
        parallelism=_setting("argon2_lanes"),
        type=Type.ID,
    )
    stored = hasher.hash(PASSWORD)
    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        list(pool.map(lambda _: hasher.verify(stored, PASSWORD), range(_LOGINS)))
        return _LOGINS / (time.perf_counter() - began)


Call = Callable[..., Awaitable[Any]]


async def _logins_per_s(log_in: Call, members: Sequence[Member], threads: int) -> float:
    pending = iter(range(_LOGINS))

    async def worker() -> None:
        for turn in pending:
            member = members[turn % len(members)]
            await log_in(auth.LoginRequest(email=member.address, password=PASSWORD))

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(threads * 2)))
    return _LOGINS / (time.perf_counter() - began)


async def _guesses_ms(log_in: Call, members: Sequence[Member]) -> tuple[float, float]:
    """Time wrong passwords of known and of unknown accounts, in turns."""
    known_ms: list[float] = []
    unknown_ms: list[float] = []
    nobody = [f"{uuid.uuid4().hex}@example.com" for _ in members]
    for _ in range(_GUESSES_EACH):
        for member, stranger in zip(members, nobody, strict=True):
            pair = [(member.address, known_ms), (stranger, unknown_ms)]
            random.shuffle(pair)
            for address, times in pair:
                times.append(await _guess_ms(log_in, address))
    return median(known_ms), median(unknown_ms)


async def _guess_ms(log_in: Call, address: str) -> float:
    began = time.perf_counter()
    try:
        await log_in(
            auth.LoginRequest(email=address, password="not the password"),
            # From everywhere, as the gateway would say it: one address is throttled soon.
            metadata=(("x-forwarded-for", f"198.51.100.{random.randrange(256)}"),),
        )
    except grpc.aio.AioRpcError as err:
        if err.code() is not grpc.StatusCode.UNAUTHENTICATED:
            raise
    return (time.perf_counter() - began) * 1000


class _NothingRevoked:
    def covers(self, caller: Caller, issued_at_s: float) -> bool:
        return False


async def measure_tokens(_rig: Rig) -> list[Figure]:
    """Check tokens that are new and tokens seen before, beside what each must cost at least."""
    mint = TokenMint()
    tokens = [mint.user(Role.MANAGER, uuid.uuid4()) for _ in range(_TOKENS)]
    new_us, seen_us, bare_us, looked_up_us = [], [], [], []
    for _ in range(_ROUNDS):
        verifier = TokenVerifier(StaticKeys(mint), _NothingRevoked(), issuer=ISSUER)
        began = time.perf_counter()
        for token in tokens:
            await verifier.verify(token)
        new_us.append((time.perf_counter() - began) / _TOKENS * 1e6)
        seen_us.append(_each_us(verifier.recall, tokens))
        bare_us.append(_signatures_us(mint.private_key))
        looked_up_us.append(_each_us({token: token for token in tokens}.get, tokens))
    return [
        Figure(
            name="identity.token_new",
            value=median(new_us),
            unit="us",
            baseline=median(bare_us),
            ratio=median(new_us) / median(bare_us),
            goal="<= 3x",
            met=median(new_us) / median(bare_us) <= 3,
        ),
        Figure(
            name="identity.token_seen",
            value=median(seen_us),
            unit="us",
            baseline=median(looked_up_us),
            ratio=median(seen_us) / median(looked_up_us),
            goal="<= 5 us",
            met=median(seen_us) <= 5,
        ),
    ]


def _each_us(look: Callable[[str], object], tokens: Sequence[str]) -> float:
    began = time.perf_counter()
    for _ in range(_RECALLS // len(tokens)):
        for token in tokens:
            look(token)
    return (time.perf_counter() - began) / (_RECALLS // len(tokens) * len(tokens)) * 1e6


def _signatures_us(key: Ed25519PrivateKey) -> float:
    message = secrets.token_bytes(400)
    signature, public = key.sign(message), key.public_key()
    began = time.perf_counter()
    for _ in range(_TOKENS):
        public.verify(signature, message)
    return (time.perf_counter() - began) / _TOKENS * 1e6


async def measure_lists(rig: Rig) -> list[Figure]:
    """List people where there are a hundred, then where there are a hundred thousand."""
    rig.platform.administrator = rig.platform.log_in(
        rig.stack.addresses.administrator_email, rig.stack.addresses.administrator_password
    )
    metadata = (("authorization", f"Bearer {rig.platform.administrator.token}"),)
    async with grpc.aio.insecure_channel(_target(rig, "users")) as channel:
        call = _unary(channel, "/dashtrack.users.v1.UserService/ListUsers", users.ListUsersRequest)
        ask = functools.partial(call, metadata=metadata)
        await _fill(rig, _FEW_PEOPLE)
        few = await _pages_ms(ask, users.ListUsersRequest(page_size=50))
        await _fill(rig, _PEOPLE)
        first = await _pages_ms(ask, users.ListUsersRequest(page_size=50))
        deep = await _pages_ms(ask, await _deep(ask))
        found = await _pages_ms(ask, users.ListUsersRequest(page_size=50, query="person 4242"))
    figures = {"first": first, "deep": deep, "search": found}
    return [
        Figure(
            name=f"identity.users_{name}_page",
            value=value,
            unit="ms",
            baseline=few,
            ratio=value / few,
            goal="<= 2x",
            met=value / few <= 2,
        )
        for name, value in figures.items()
    ]


async def _fill(rig: Rig, people: int) -> None:
    """Bring the table to so many people, past the service: invitations are not measured."""
    connection = await asyncpg.connect(rig.database_dsn("users"))
    try:
        known = await connection.fetchval("SELECT count(*) FROM users")
        await connection.execute(
            """
            INSERT INTO users (user_id, email, display_name, role, status, version,
                create_time, update_time, sort_name, search_text)
            SELECT gen_random_uuid(), 'person' || n || '@example.com', 'Person ' || n, 'master',
                'active', 1, now(), now(), 'person ' || n,
                'person ' || n || ' person' || n || '@example.com'
            FROM generate_series($1::int, $2::int - 1) AS n
            """,
            known,
            people,
        )
        await connection.execute("VACUUM ANALYZE users")
    finally:
        await connection.close()


async def _deep(ask: Call) -> users.ListUsersRequest:
    """Walk down in large steps; a token holds for pages of another size too."""
    request = users.ListUsersRequest(page_size=1000)
    for _ in range(_DEEP_PAGES):
        request.page_token = (await ask(request)).next_page_token
    request.page_size = 50
    return request


async def _pages_ms(ask: Call, request: users.ListUsersRequest) -> float:
    times = []
    for _ in range(_PAGES):
        began = time.perf_counter()
        await ask(request)
        times.append((time.perf_counter() - began) * 1000)
    return median(times)


async def measure_reads(rig: Rig) -> list[Figure]:
    """Read one's own profile through the gateway, beside calls that do nothing, without one."""
    token = rig.platform.log_in(
        rig.stack.addresses.administrator_email, rig.stack.addresses.administrator_password
    ).token
    parcels = [Parcel(token, b"", 0)] * _READS
    rates, bare_rates, times_ms, bare_ms = [], [], [], []
    with running_noop() as (port, _):
        async with (
            Http1Reads(rig.gateway_port, "/v1/me") as reads,
            Http2Uploads(port) as calls,
        ):
            for _ in range(_ROUNDS):
                bare = await closed_loop(calls.send, parcels, concurrency=16)
                ours = await closed_loop(reads.send, parcels, concurrency=16)
                bare_rates.append(bare.uploads_per_s)
                rates.append(ours.uploads_per_s)
                bare = await closed_loop(calls.send, parcels[:300], concurrency=1)
                ours = await closed_loop(reads.send, parcels[:300], concurrency=1)
                bare_ms.append(bare.latency_ms(0.5))
                times_ms.append(ours.latency_ms(0.5))
    return [
        Figure(
            name="identity.reads",
            value=median(rates),
            unit="reads/s",
            baseline=median(bare_rates),
            ratio=median(rates) / median(bare_rates),
        ),
        Figure(
            name="identity.read_time",
            value=median(times_ms),
            unit="ms",
            baseline=median(bare_ms),
            ratio=median(times_ms) / median(bare_ms),
        ),
    ]


def _target(rig: Rig, service: str) -> str:
    return f"127.0.0.1:{rig.stack.ports[f'{service}_grpc_port']}"


def _unary(channel: grpc.aio.Channel, path: str, request_type: Any) -> Any:
    answers: dict[Any, Any] = {
        auth.LoginRequest: auth.Session,
        users.ListUsersRequest: users.ListUsersResponse,
    }
    return channel.unary_unary(
        path,
        request_serializer=request_type.SerializeToString,
        response_deserializer=answers[request_type].FromString,
    )
