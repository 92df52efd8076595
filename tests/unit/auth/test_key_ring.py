"""Signing with the key whose time it is."""

import uuid

import jwt
import pytest

from services.auth.adapters.key_ring import Ed25519KeyGenerator, KeyRing
from services.auth.usecases.upkeep import RotateKeys
from services.chassis.errors import Unavailable
from tests.fixtures.auth_fake_store import FakeStore
from tests.fixtures.auth_fakes import FakeClock
from tests.fixtures.auth_world import LIFETIMES, ROTATION


class Ring:
    """A key ring with real keys, and what rotates them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        store = FakeStore()
        self.rotate_keys = RotateKeys(store, Ed25519KeyGenerator(), ROTATION, self.clock)
        self.ring = KeyRing(store, self.clock, uuid.uuid4, "dashtrack")

    def signing_kid(self) -> str:
        """Name the key that signs now."""
        token = self.ring.issue({"sub": "x"}, LIFETIMES.access_token).token
        return str(jwt.get_unverified_header(token)["kid"])


@pytest.fixture
async def keys() -> Ring:
    """A ring with its first key."""
    made = Ring()
    await made.rotate_keys.ensure_first()
    await made.ring.load()
    return made


async def test_a_token_says_what_every_token_says(keys: Ring) -> None:
    """Issuer, id, issue and expiry come with each, and the published key verifies it."""
    issued = keys.ring.issue({"sub": "somebody", "aud": "dashtrack-api"}, LIFETIMES.access_token)

    key = keys.ring.key(keys.signing_kid())
    assert key is not None
    claims = jwt.decode(
        issued.token,
        key,
        ["EdDSA"],
        {"verify_exp": False, "verify_iat": False},
        audience="dashtrack-api",
        issuer="dashtrack",
    )
    assert claims["exp"] - int(claims["iat"]) == 900
    assert claims["exp"] == int(issued.expires_at.timestamp())
    assert str(uuid.UUID(claims["jti"])) == claims["jti"]


async def test_the_next_key_takes_over_by_the_clock(keys: Ring) -> None:
    """Nobody has to tell the ring again."""
    first = keys.signing_kid()
    fresh = await keys.rotate_keys.rotate()
    await keys.ring.load()

    assert keys.signing_kid() == first
    assert keys.ring.key(fresh.kid) is not None
    keys.clock.now += ROTATION.overlap
    assert keys.signing_kid() == fresh.kid
    assert keys.ring.key(first) is not None


async def test_an_old_key_verifies_nothing_once_it_is_withdrawn(keys: Ring) -> None:
    """It leaves the key set by the clock."""
    first = keys.signing_kid()
    fresh = await keys.rotate_keys.rotate()
    await keys.ring.load()
    keys.clock.now += ROTATION.overlap + ROTATION.longest_token

    assert keys.ring.key(first) is None
    assert first.encode() not in keys.ring.json_web_key_set()
    assert fresh.kid.encode() in keys.ring.json_web_key_set()


async def test_unknown_keys_are_unknown(keys: Ring) -> None:
    """Whatever a forged token names."""
    await keys.ring.refresh()

    assert keys.ring.key("made up") is None


def test_without_keys_nobody_can_tell() -> None:
    """That is a reason to come back, not a forged token."""
    with pytest.raises(Unavailable):
        Ring().ring.key("any")
