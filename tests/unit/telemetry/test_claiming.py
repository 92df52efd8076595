"""Claims, secrets and tokens, by the clock."""

import uuid
from datetime import timedelta

import pytest

from services.chassis.errors import Unavailable
from services.chassis.identity import Caller, CallerKind, Role
from services.chassis.ids import new_id
from services.telemetry.domain.devices import claim_code_hash, new_claim_code
from services.telemetry.domain.errors import ClaimCodeInvalid, DeviceRevoked
from services.telemetry.usecases.claiming import ClaimUseCases
from services.telemetry.usecases.registry import DeviceUseCases, NewDevice
from services.telemetry.usecases.renewing import TokenRenewals
from tests.fixtures.telemetry_fakes import COMPANY, FakeTokenIssuer, FixedClock
from tests.fixtures.telemetry_registry_fakes import FakeChanges, FakeCompanies, FakeRegistry

MANAGER = Caller(CallerKind.USER, str(uuid.uuid4()), Role.MANAGER, COMPANY, None, 2**40)
WEEK_MS = 7 * 86_400_000
NONCE = bytes(16)


class World:
    """The registry and claiming on fakes."""

    def __init__(self) -> None:
        self.clock, self.tokens, self.changes = FixedClock(), FakeTokenIssuer(), FakeChanges()
        registry = FakeRegistry()
        self.devices = DeviceUseCases(
            registry,
            FakeCompanies(COMPANY),
            self.tokens,
            self.changes,
            clock=self.clock,
            new_id=new_id,
            claim_ttl=timedelta(days=7),
        )
        self.claims = ClaimUseCases(
            registry, self.tokens, clock=self.clock, suspended_retry_s=300, claim_key=b"key"
        )

    async def registered(self) -> tuple[uuid.UUID, str]:
        """Register a board; returns id and code."""
        new = NewDevice(None, "board", "", None, None)
        device, ticket = await self.devices.register_device(MANAGER, new)
        assert ticket is not None
        return device.device_id, ticket.code


@pytest.fixture
def world() -> World:
    """The registry and claiming on fakes."""
    return World()


async def test_a_claim_code_expires(world: World) -> None:
    """To the second; one that was claimed in time still answers after."""
    device_id, code = await world.registered()
    world.clock.now_ms += WEEK_MS
    with pytest.raises(ClaimCodeInvalid):
        await world.claims.claim(code, "board", NONCE)
    world.clock.now_ms -= 1
    claimed = await world.claims.claim(code, "board", NONCE)
    world.clock.now_ms += WEEK_MS

    assert await world.claims.claim(code, "board", NONCE) == claimed
    assert claimed[0] == device_id


async def test_a_failed_exchange_does_not_use_the_secret_up(world: World) -> None:
    """While auth is away the claim can still be repeated."""
    device_id, code = await world.registered()
    _, secret = await world.claims.claim(code, "board", NONCE)
    world.tokens.failure = Unavailable("away")
    with pytest.raises(Unavailable):
        await world.claims.exchange(device_id, secret)
    world.tokens.failure = None

    assert await world.claims.claim(code, "board", NONCE) == (device_id, secret)
    assert (await world.claims.exchange(device_id, secret)).token


async def test_disabling_ends_tokens_and_tells_the_replicas(world: World) -> None:
    """Each time that it is asked for, which makes up for a revocation that failed."""
    device_id, code = await world.registered()
    _, secret = await world.claims.claim(code, "board", NONCE)
    for _ in range(2):
        await world.devices.disable_device(MANAGER, device_id)

    assert world.tokens.revoked == world.changes.announced == [device_id] * 2
    with pytest.raises(DeviceRevoked):
        await world.claims.exchange(device_id, secret)
    assert world.tokens.issued == []


def test_claim_codes_survive_being_typed() -> None:
    """Case, dashes, blanks and look-alikes don't matter; every code is another."""
    code = new_claim_code()
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")

    assert claim_code_hash(typed) == claim_code_hash(code)
    assert len({new_claim_code() for _ in range(1000)}) == 1000
    assert len(code) == 19


async def test_a_token_is_renewed_once_it_ages() -> None:
    """A lost answer gets the same one again; none is issued while the old one is fresh."""
    issuer = FakeTokenIssuer()
    now_s = int(FixedClock()().timestamp())
    renewals = TokenRenewals(issuer, before_end_s=100, now=lambda: now_s)
    device_id = new_id()

    assert await renewals.renewed(now_s + 101, COMPANY, device_id) == ""
    assert await renewals.renewed(now_s + 99, COMPANY, device_id) == "token-1"
    assert await renewals.renewed(now_s + 99, COMPANY, device_id) == "token-1"
    assert issuer.issued == [device_id]


async def test_an_upload_does_not_fail_for_want_of_a_renewal() -> None:
    """And auth, while it is away, is not asked with every upload."""
    issuer = FakeTokenIssuer()
    now_s = 1000.0
    renewals = TokenRenewals(issuer, before_end_s=100, now=lambda: now_s)
    issuer.failure = Unavailable("away")
    assert await renewals.renewed(1001, COMPANY, new_id()) == ""
    issuer.failure = None
    assert await renewals.renewed(1001, COMPANY, new_id()) == ""
    now_s += 31

    assert await renewals.renewed(1032, COMPANY, new_id()) == "token-1"
