"""What every store does with revocations and the buckets of the login throttle."""

import asyncio
import random
import uuid
from datetime import timedelta

from services.auth.domain.tokens import Revocation
from services.auth.ports import Store
from tests.fixtures.auth_fakes import START
from tests.fixtures.auth_world import LIFETIMES

WRITERS = 8
ROUNDS = 5


def a_revocation() -> Revocation:
    """Make a revocation of somebody's tokens."""
    return Revocation.of_subject(uuid.uuid4(), LIFETIMES, START)


async def test_revocations_are_listed_in_order_and_in_pages(store: Store) -> None:
    """Each page says where the next begins, and whether there is one."""
    written = [
        Revocation.of_session(uuid.uuid4(), LIFETIMES, START),
        a_revocation(),
        a_revocation(),
    ]
    async with store.transaction() as tx:
        await tx.revocations.append(written[:2])
        await tx.revocations.append(written[2:])

    async with store.transaction() as tx:
        first = await tx.revocations.list_after(0, 2, START)
        second = await tx.revocations.list_after(first.next_position, 2, START)
        third = await tx.revocations.list_after(second.next_position, 2, START)

    assert [*first.revocations, *second.revocations] == written
    assert (first.more, second.more, third.more) == (True, False, False)
    assert third.revocations == []
    assert third.next_position == second.next_position


async def test_revocations_that_do_not_matter_are_neither_listed_nor_kept(store: Store) -> None:
    """What they ended has expired."""
    short = Revocation.of_session(uuid.uuid4(), LIFETIMES, START)
    long = a_revocation()
    async with store.transaction() as tx:
        await tx.revocations.append([short, long])
        listed = await tx.revocations.list_after(0, 10, short.expires_at)
        await tx.revocations.prune(short.expires_at)
        kept = await tx.revocations.list_after(0, 10, START)

    assert listed.revocations == [long]
    assert kept.revocations == [long]


async def test_nothing_to_append_is_nothing(store: Store) -> None:
    """No position is spent on it."""
    async with store.transaction() as tx:
        await tx.revocations.append([])
        assert (await tx.revocations.list_after(0, 10, START)).next_position == 0


async def test_a_reader_skips_no_revocation_of_concurrent_writers(store: Store) -> None:
    """Whoever commits late has not been passed by a reader: every position is read once."""
    written: list[uuid.UUID | None] = []
    done = asyncio.Event()

    async def write() -> None:
        for _ in range(ROUNDS):
            async with store.transaction() as tx:
                revocation = a_revocation()
                await asyncio.sleep(random.uniform(0, 0.005))
                await tx.revocations.append([revocation])
                # Appended, not yet committed: this is where a reader could pass it.
                await asyncio.sleep(random.uniform(0, 0.005))
            written.append(revocation.subject)

    async def read() -> list[uuid.UUID | None]:
        seen: list[uuid.UUID | None] = []
        position, last = 0, False
        while not last:
            last = done.is_set()
            async with store.transaction() as tx:
                page = await tx.revocations.list_after(position, 10, START)
            position = page.next_position
            seen += [revocation.subject for revocation in page.revocations]
            last = last and not page.more
        return seen

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write() for _ in range(WRITERS)))
    done.set()
    seen = await reader

    assert len(seen) == WRITERS * ROUNDS
    assert set(seen) == set(written)


async def test_buckets_are_made_when_first_locked(store: Store) -> None:
    """Empty, which is now."""
    async with store.transaction() as tx:
        assert await tx.attempts.lock([b"b", b"a", b"b"], START) == {b"a": START, b"b": START}


async def test_buckets_are_kept(store: Store) -> None:
    """Until they are empty, by themselves or refunded."""
    later = START + timedelta(minutes=5)
    async with store.transaction() as tx:
        await tx.attempts.lock([b"a", b"b"], START)
        await tx.attempts.save({b"a": later})

    async with store.transaction() as tx:
        await tx.attempts.prune(START)
        now = START + timedelta(minutes=1)
        assert await tx.attempts.lock([b"a", b"b"], now) == {b"a": later, b"b": now}


async def test_parallel_attempts_all_count(store: Store) -> None:
    """In whichever order they name their buckets."""

    async def attempt(keys: list[bytes]) -> None:
        async with store.transaction() as tx:
            buckets = await tx.attempts.lock(keys, START)
            await asyncio.sleep(0.001)
            minute = timedelta(minutes=1)
            await tx.attempts.save({key: spent + minute for key, spent in buckets.items()})

    await asyncio.gather(*(attempt([b"a", b"b"][:: 1 - 2 * (turn % 2)]) for turn in range(8)))

    async with store.transaction() as tx:
        after = START + timedelta(minutes=8)
        assert await tx.attempts.lock([b"a", b"b"], START) == {b"a": after, b"b": after}
