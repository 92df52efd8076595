"""What every password hasher does."""

from collections.abc import AsyncIterator

import pytest

from services.auth.adapters.argon2_hasher import Argon2Options, Argon2PasswordHasher
from services.auth.adapters.bounded_threads import BoundedThreads
from services.auth.ports.passwords import PasswordHasher
from tests.fixtures.auth_fakes import FakePasswordHasher


@pytest.fixture(params=["fake", "argon2"])
async def hasher(request: pytest.FixtureRequest) -> AsyncIterator[PasswordHasher]:
    """The adapter under test."""
    if request.param == "fake":
        yield FakePasswordHasher()
        return
    threads = BoundedThreads(threads=2, queue_max=4)
    yield Argon2PasswordHasher(Argon2Options(memory_kib=64, passes=1, lanes=1), threads)
    await threads.close()


@pytest.mark.parametrize("password", ["", "password", "pässwörd", "nul\0nul", "x" * 256])
async def test_a_password_matches_its_own_hash_only(hasher: PasswordHasher, password: str) -> None:
    """Whatever it is made of."""
    password_hash = await hasher.hash(password)

    assert await hasher.verify(password_hash, password)
    assert not await hasher.verify(password_hash, password + "x")
    assert not hasher.is_outdated(password_hash)


async def test_nobody_has_no_password(hasher: PasswordHasher) -> None:
    """Without a hash nothing matches."""
    assert not await hasher.verify(None, "")
    assert not await hasher.verify(None, "password")
