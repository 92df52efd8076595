"""Password hashing in its threads."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from services.auth.adapters.argon2_hasher import Argon2Options, Argon2PasswordHasher
from services.auth.adapters.bounded_threads import BoundedThreads
from services.auth.domain.errors import LoginThrottled

OPTIONS = Argon2Options(memory_kib=64, passes=1, lanes=1)


@pytest.fixture
async def threads() -> AsyncIterator[BoundedThreads]:
    """Little room."""
    made = BoundedThreads(threads=1, queue_max=4)
    yield made
    await made.close()


@pytest.fixture
def hasher(threads: BoundedThreads) -> Argon2PasswordHasher:
    """A hasher that is quick."""
    return Argon2PasswordHasher(OPTIONS, threads)


async def test_hashes_are_salted_argon2id(hasher: Argon2PasswordHasher) -> None:
    """The same password never has the same hash."""
    first, second = await hasher.hash("password"), await hasher.hash("password")

    assert first != second
    assert first.startswith("$argon2id$")


async def test_a_flood_is_refused_beyond_the_queue(hasher: Argon2PasswordHasher) -> None:
    """What fits is done, the rest is told when to come back."""
    flood = [hasher.verify(None, "password") for _ in range(20)]
    outcomes = await asyncio.gather(*flood, return_exceptions=True)

    refused = [outcome for outcome in outcomes if isinstance(outcome, LoginThrottled)]
    assert len(refused) == 15
    assert all(refusal.retry_after_s for refusal in refused)
    assert outcomes.count(False) == 5


async def test_there_is_room_again_after_a_flood(
    hasher: Argon2PasswordHasher, threads: BoundedThreads
) -> None:
    """Cancelled callers give their place back as well."""
    for _ in range(3):
        flood = [asyncio.create_task(hasher.verify(None, "password")) for _ in range(5)]
        await asyncio.sleep(0)
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
        # The only thread gets to this when it is done with whatever it had begun.
        await asyncio.to_thread(threads._executor.submit(int).result)

    assert await hasher.hash("password")


async def test_hashes_of_other_parameters_are_outdated(
    hasher: Argon2PasswordHasher, threads: BoundedThreads
) -> None:
    """They still verify, and are renewed at the next login."""
    stronger = Argon2PasswordHasher(replace(OPTIONS, passes=2), threads)
    password_hash = await hasher.hash("password")

    assert not hasher.is_outdated(password_hash)
    assert stronger.is_outdated(password_hash)
    assert await stronger.verify(password_hash, "password")


async def test_a_hash_that_is_none_matches_nothing(hasher: Argon2PasswordHasher) -> None:
    """A damaged row is a wrong password, not a crash."""
    assert not await hasher.verify("damaged", "password")
