"""What travels along when a service calls another: token, deadline and trace."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from dashtrack.auth.internal.v1 import token_service_pb2
from opentelemetry.sdk.trace import TracerProvider

from services.chassis.auth_client import RemoteRevocations, ServiceTokens
from services.chassis.channels import Channels
from services.chassis.errors import TokenRevoked, Unavailable
from services.chassis.identity import Role
from services.chassis.jwks import JwksKeySource
from services.chassis.revocations import RevocationList
from services.chassis.rpc import deadlines
from services.chassis.tokens import TokenVerifier
from tests.fixtures.ports import reserved_ports
from tests.fixtures.tokens import TokenMint
from tests.integration.chassis.kettle import KettleSettings

PUBLIC = "/dashtrack.users.v1.UserService/GetUser"
WIRE_ROUNDING_S = 0.5  # gRPC sends time limits with two or three digits, rounded up
INTERNAL = "/dashtrack.companies.internal.v1.DirectoryService/GetCompany"


class Recorder(grpc.GenericRpcHandler):
    """Answers every call of any shape, and keeps what came with it."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any]] = []
        self.remaining_s: list[float | None] = []

    def service(self, _: grpc.HandlerCallDetails) -> Any:
        """Serve any method."""
        return grpc.stream_stream_rpc_method_handler(self._record)

    async def _record(self, requests: Any, context: Any) -> Any:
        self.metadata.append(dict(context.invocation_metadata()))
        self.remaining_s.append(context.time_remaining())
        async for request in requests:
            yield request


@pytest.fixture
async def recorder() -> AsyncIterator[tuple[Recorder, str]]:
    """A server that records, and where it is."""
    recorder = Recorder()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([recorder])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield recorder, f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture
async def channels(kettle: KettleSettings) -> AsyncIterator[Channels]:
    """The kettle's channels."""
    provider = TracerProvider(shutdown_on_exit=False)
    channels = Channels(kettle, "kettle", provider)
    yield channels
    await channels.close()
    provider.shutdown()


async def ask(channel: Any, method: str, shape: str, **options: Any) -> None:
    """Make a call of a shape."""
    match shape:
        case "unary_unary":
            await channel.unary_unary(method)(b"x", **options)
        case "unary_stream":
            _ = [answer async for answer in channel.unary_stream(method)(b"x", **options)]
        case "stream_unary":
            await channel.stream_unary(method)(iter([b"x"]), **options)
        case _:
            call = channel.stream_stream(method)(iter([b"x"]), **options)
            _ = [answer async for answer in call]


SHAPES: Sequence[str] = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


@pytest.mark.parametrize("shape", SHAPES)
async def test_internal_method_is_called_with_a_service_token(
    channels: Channels, recorder: tuple[Recorder, str], shape: str
) -> None:
    """Services show who they are to each other, in every shape of call."""
    seen, address = recorder
    await ask(channels.channel(address), INTERNAL, shape)
    token = seen.metadata[0]["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["role"]) == ("kettle", "service")


async def test_service_token_is_asked_for_once(
    channels: Channels, recorder: tuple[Recorder, str]
) -> None:
    """A token serves for as long as it is good."""
    seen, address = recorder
    await asyncio.gather(
        *(ask(channels.channel(address), INTERNAL, "unary_unary") for _ in range(5))
    )
    assert len({metadata["authorization"] for metadata in seen.metadata}) == 1


async def test_refused_service_token_is_replaced(channels: Channels, token_mint: TokenMint) -> None:
    """A token that stopped working early, by its key or by revocation, costs the caller nothing."""
    refused: set[str] = set()

    async def refuse_the_first(request: bytes, context: Any) -> bytes:
        authorization = dict(context.invocation_metadata())["authorization"]
        if not refused or authorization in refused:
            refused.add(authorization)
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no longer")
        return request

    class Service(grpc.GenericRpcHandler):
        def service(self, _: grpc.HandlerCallDetails) -> Any:
            return grpc.unary_unary_rpc_method_handler(refuse_the_first)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers([Service()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await ask(channels.channel(f"127.0.0.1:{port}"), INTERNAL, "unary_unary")
    assert len(refused) == 1
    await server.stop(None)


async def test_a_good_service_token_outlives_auth(kettle: KettleSettings) -> None:
    """One that is due for renewal goes on working while auth is away; a refused one does not."""
    tokens = ServiceTokens(kettle, "kettle")
    async with grpc.aio.insecure_channel(kettle.auth_target) as auth:
        token = await tokens.token(auth)
    tokens._renew_at_s = 0.0

    with reserved_ports(1) as (port,):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as away:
            assert await tokens.token(away) == token
            tokens.forget(token)
            with pytest.raises(Unavailable):
                await tokens.token(away)


async def test_public_method_is_called_without_a_token(
    channels: Channels, recorder: tuple[Recorder, str]
) -> None:
    """A service's token goes to services only."""
    seen, address = recorder
    await ask(channels.channel(address), PUBLIC, "unary_unary")
    assert "authorization" not in seen.metadata[0]


async def test_wrong_secret_makes_internal_calls_unavailable(
    kettle: KettleSettings, recorder: tuple[Recorder, str]
) -> None:
    """A service that auth doesn't know can't call others, and says that it can't."""
    from pydantic import SecretStr

    settings = kettle.model_copy(update={"service_secret": SecretStr("guessed")})
    channels = Channels(settings, "kettle", TracerProvider(shutdown_on_exit=False))
    with pytest.raises(Unavailable):
        await ask(channels.channel(recorder[1]), INTERNAL, "unary_unary")
    await channels.close()


@pytest.mark.parametrize("shape", SHAPES)
async def test_outgoing_call_has_a_deadline(
    channels: Channels, recorder: tuple[Recorder, str], shape: str
) -> None:
    """No call to another service waits for ever."""
    seen, address = recorder
    await ask(channels.channel(address), PUBLIC, shape)
    assert seen.remaining_s[0] is not None
    assert seen.remaining_s[0] <= 10 + WIRE_ROUNDING_S


async def test_outgoing_call_ends_with_the_call_that_it_serves(
    channels: Channels, recorder: tuple[Recorder, str]
) -> None:
    """What is left of the caller's time is all that others get."""
    seen, address = recorder
    now_s = asyncio.get_running_loop().time()
    token = deadlines._expires_at_s.set(now_s + 2)
    await ask(channels.channel(address), PUBLIC, "unary_unary")
    await ask(channels.channel(address), PUBLIC, "unary_unary", timeout=60)
    await ask(channels.channel(address), PUBLIC, "unary_unary", timeout=1)
    deadlines._expires_at_s.reset(token)
    left_s = [remaining_s or 99.0 for remaining_s in seen.remaining_s]
    assert max(left_s) <= 2 + WIRE_ROUNDING_S
    assert left_s[2] <= 1 + WIRE_ROUNDING_S


@pytest.mark.parametrize("shape", SHAPES)
async def test_outgoing_call_carries_the_trace(
    channels: Channels, recorder: tuple[Recorder, str], shape: str
) -> None:
    """Another service continues the trace that it is called in."""
    seen, address = recorder
    provider = TracerProvider(shutdown_on_exit=False)
    with provider.get_tracer("tests").start_as_current_span("request") as span:
        await ask(channels.channel(address), PUBLIC, shape)
    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert seen.metadata[0]["traceparent"].split("-")[1] == trace_id
    provider.shutdown()


class Keys:
    """A JWKS document that a test changes, and how often it was read."""

    def __init__(self, *mints: TokenMint) -> None:
        self.mints = list(mints)
        self.reads = 0
        self.body: str | None = None

    async def serve(self, _: web.Request) -> web.Response:
        """Serve the document."""
        self.reads += 1
        keys = [key for mint in self.mints for key in mint.jwks()["keys"]]
        return web.Response(text=self.body or json.dumps({"keys": keys}))


@contextlib.asynccontextmanager
async def published(keys: Keys) -> AsyncIterator[str]:
    """Publish keys on loopback."""
    app = web.Application()
    app.router.add_get("/jwks", keys.serve)
    async with TestServer(app) as server:
        yield str(server.make_url("/jwks"))


async def test_unknown_key_is_looked_for_once_in_a_while() -> None:
    """Tokens that name invented keys don't make a flood of requests."""
    keys = Keys(TokenMint())
    async with published(keys) as url:
        source = JwksKeySource(url)
        await asyncio.gather(*(source.refresh() for _ in range(20)))
        assert source.key(keys.mints[0].kid) is not None
        assert source.key("invented") is None
    assert keys.reads == 1


async def test_keys_stay_in_use_while_auth_is_away() -> None:
    """Tokens that were good stay good when the keys can't be read again."""
    keys = Keys(TokenMint())
    async with published(keys) as url:
        source = JwksKeySource(url)
        await source.refresh()
    source._tried_at_s = None
    await source.refresh()
    assert source.key(keys.mints[0].kid) is not None


@pytest.mark.parametrize("body", ["", "[]", "{}", "nonsense", '{"keys": [{"kty": "RSA"}]}'])
async def test_document_without_usable_keys_changes_nothing(body: str) -> None:
    """A broken answer doesn't take the keys away."""
    keys = Keys(TokenMint())
    async with published(keys) as url:
        source = JwksKeySource(url)
        await source.refresh()
        keys.body = body
        source._tried_at_s = None
        await source.refresh()
        assert source.key(keys.mints[0].kid) is not None


async def test_keys_that_were_never_read_are_unavailable() -> None:
    """Without keys nobody can be told that a token is bad."""
    source = JwksKeySource("http://127.0.0.1:1/jwks")
    await source.refresh()
    with pytest.raises(Unavailable):
        source.key("any")


class RevokingAuth:
    """Auth as far as tokens of services and revocations go."""

    def __init__(self, mint: TokenMint) -> None:
        self._mint = mint
        self.revocations: list[token_service_pb2.Revocation] = []
        self.authorizations: list[str] = []

    async def issue(self, request: Any, _: Any) -> Any:
        """Issue a token."""
        issued = token_service_pb2.IssuedToken(token=self._mint.service(request.service))
        issued.expire_time.FromSeconds(int(time.time()) + 900)
        return issued

    async def list(self, request: Any, context: Any) -> Any:
        """List what was revoked after a position."""
        self.authorizations.append(dict(context.invocation_metadata()).get("authorization", ""))
        after = int(request.after or 0)
        return token_service_pb2.ListRevocationsResponse(
            revocations=self.revocations[after:],
            next_position=str(len(self.revocations)),
        )

    def register(self, server: grpc.aio.Server) -> None:
        """Serve these two methods."""
        make: Any = grpc.unary_unary_rpc_method_handler
        methods: dict[str, tuple[Any, Any]] = {
            "IssueServiceToken": (self.issue, token_service_pb2.IssueServiceTokenRequest),
            "ListRevocations": (self.list, token_service_pb2.ListRevocationsRequest),
        }
        server.add_registered_method_handlers(
            "dashtrack.auth.internal.v1.TokenService",
            {
                name: make(function, request.FromString, lambda answer: answer.SerializeToString())
                for name, (function, request) in methods.items()
            },
        )


async def test_revocation_reaches_a_service_and_bites(
    kettle: KettleSettings, token_mint: TokenMint
) -> None:
    """What auth revokes is refused here, after the next pull, from the cache as well."""
    auth = RevokingAuth(token_mint)
    server = grpc.aio.server()
    auth.register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    settings = kettle.model_copy(update={"auth_target": f"127.0.0.1:{port}"})
    channels = Channels(settings, "kettle", TracerProvider(shutdown_on_exit=False))
    revocations = RevocationList(RemoteRevocations(channels.channel(settings.auth_target)))
    source = JwksKeySource(kettle.jwks_url)
    verifier = TokenVerifier(source, revocations, issuer="dashtrack")
    await source.refresh()
    token = token_mint.user(Role.MASTER)
    session_id = (await verifier.verify(token)).caller.session_id

    revocation = token_service_pb2.Revocation(session_id=str(session_id))
    revocation.revoke_time.GetCurrentTime()
    revocation.expire_time.FromSeconds(int(time.time()) + 900)
    auth.revocations.append(revocation)
    await revocations.pull()
    with pytest.raises(TokenRevoked):
        verifier.recall(token)
    assert all(value.startswith("Bearer ") for value in auth.authorizations)
    await channels.close()
    await server.stop(None)


async def test_hint_makes_the_list_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """News over NATS doesn't wait for the next round."""
    from services.chassis.revocations import RevocationPage

    monkeypatch.setattr("services.chassis.revocations._PULL_INTERVAL_S", 3600)
    pulled = asyncio.Event()

    async def source(position: str) -> RevocationPage:
        pulled.set()
        return RevocationPage([], position, more=False)

    revocations, stopping = RevocationList(source), asyncio.Event()
    task = asyncio.create_task(revocations.run(stopping))
    for _ in range(3):
        await pulled.wait()
        pulled.clear()
        await revocations.on_hint("dashtrack.revoked", b"")
    stopping.set()
    await task


async def test_list_waits_for_auth_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Auth being away is no reason to fail."""
    from services.chassis.revocations import RevocationPage

    monkeypatch.setattr("services.chassis.revocations._PULL_INTERVAL_S", 0.01)
    attempts = 0
    back = asyncio.Event()

    async def source(position: str) -> RevocationPage:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise Unavailable("away")
        back.set()
        return RevocationPage([], position, more=False)

    stopping = asyncio.Event()
    task = asyncio.create_task(RevocationList(source).run(stopping))
    await back.wait()
    stopping.set()
    await task
