"""The writer acknowledges what is committed, once, whatever happens around it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.chassis.errors import Unavailable
from services.telemetry.domain.batches import NewBatch, Verdict
from services.telemetry.domain.errors import BatchMalformed, IngestOverloaded
from services.telemetry.ports.ingest import FlushCollision
from services.telemetry.usecases.group_commit import FlushLimits, GroupCommit
from tests.fixtures.telemetry_fakes import COMPANY, FakeBatchStore, FakeFlushObserver, new_batch

LIMITS = FlushLimits(interval_s=0.001, flush_batches=8, queue_batches=16)


@pytest.fixture
def store() -> FakeBatchStore:
    """The store."""
    return FakeBatchStore()


@pytest.fixture
def observer() -> FakeFlushObserver:
    """Who watches."""
    return FakeFlushObserver()


@pytest.fixture
async def writer(store: FakeBatchStore, observer: FakeFlushObserver) -> AsyncIterator[GroupCommit]:
    """A writer with one lane."""
    writer = GroupCommit([store], LIMITS, observer)
    yield writer
    store.go_on.set()
    await writer.drain()


async def outcomes(writer: GroupCommit, *batches: NewBatch) -> list[object]:
    """Submit batches together and return what becomes of each."""
    futures = [writer.submit(batch) for batch in batches]
    return list(await asyncio.gather(*futures, return_exceptions=True))


async def test_batches_that_arrive_together_share_a_transaction(
    writer: GroupCommit, store: FakeBatchStore
) -> None:
    """Uploads of the same few milliseconds cost one commit."""
    assert await outcomes(writer, *map(new_batch, range(5))) == [Verdict.STORED] * 5
    assert len(store.groups) == 1


async def test_a_flush_is_sorted_by_key(writer: GroupCommit, store: FakeBatchStore) -> None:
    """Writers that take their locks in one order never deadlock."""
    await outcomes(writer, *(new_batch(seq) for seq in (3, 1, 2)))

    assert [batch.seq for batch in store.groups[0]] == [1, 2, 3]


async def test_a_full_flush_does_not_wait(store: FakeBatchStore) -> None:
    """As many batches as a flush may hold go at once."""
    limits = FlushLimits(interval_s=3600, flush_batches=3)
    writer = GroupCommit([store], limits, FakeFlushObserver())

    assert await outcomes(writer, *map(new_batch, range(3))) == [Verdict.STORED] * 3
    await writer.drain()


async def test_a_flush_is_bounded_in_bytes(store: FakeBatchStore) -> None:
    """Large payloads spread over several transactions."""
    limits = FlushLimits(interval_s=0.001, flush_bytes=10)
    writer = GroupCommit([store], limits, FakeFlushObserver())

    await outcomes(writer, *(new_batch(seq, b"x" * 8) for seq in range(4)))
    await writer.drain()

    assert [len(group) for group in store.groups] == [2, 2]


async def test_a_full_queue_refuses_and_says_when_to_come_again(
    writer: GroupCommit, store: FakeBatchStore
) -> None:
    """Nothing waits without a bound; what waits already is still stored."""
    store.go_on.clear()
    first = writer.submit(new_batch(99))
    await store.started.wait()
    waiting = [writer.submit(new_batch(seq)) for seq in range(LIMITS.queue_batches)]

    with pytest.raises(IngestOverloaded) as refused:
        writer.submit(new_batch(100))

    assert refused.value.retry_after_s
    store.go_on.set()
    assert set(await asyncio.gather(first, *waiting)) == {Verdict.STORED}


async def test_the_queue_is_bounded_in_bytes(store: FakeBatchStore) -> None:
    """A few large payloads fill it as well."""
    limits = FlushLimits(interval_s=3600, queue_bytes=10)
    writer = GroupCommit([store], limits, FakeFlushObserver())
    waiting = writer.submit(new_batch(0, b"x" * 10))

    with pytest.raises(IngestOverloaded):
        writer.submit(new_batch(1))

    await writer.drain()
    assert await waiting is Verdict.STORED


async def test_a_caller_that_hangs_up_cancels_nothing(
    writer: GroupCommit, store: FakeBatchStore
) -> None:
    """Its batch is stored, and so is everybody else's."""
    mine, others = new_batch(1), new_batch(2)

    async def upload(batch: NewBatch) -> Verdict:
        return await writer.submit(batch)

    cancelled = asyncio.create_task(upload(mine))
    kept = asyncio.create_task(upload(others))
    await asyncio.sleep(0)
    cancelled.cancel()

    assert await kept is Verdict.STORED
    assert cancelled.cancelled()
    assert mine.key in store.stored


async def test_a_caller_that_hangs_up_during_the_flush_cancels_nothing(
    writer: GroupCommit, store: FakeBatchStore
) -> None:
    """The statement that runs is nobody's alone."""
    store.go_on.clear()
    mine, others = writer.submit(new_batch(1)), writer.submit(new_batch(2))
    await store.started.wait()
    mine.cancel()
    store.go_on.set()

    assert await others is Verdict.STORED
    assert new_batch(1).key in store.stored


async def test_only_the_guilty_batch_is_refused(writer: GroupCommit, store: FakeBatchStore) -> None:
    """A failing statement is halved until the batch at fault stands alone."""
    batches = [new_batch(seq) for seq in range(7)]
    batches.insert(3, new_batch(7, store.poison))

    found = await outcomes(writer, *batches)

    assert isinstance(found.pop(3), BatchMalformed)
    assert found == [Verdict.STORED] * 7
    # Halving looks at a few groups, not at every row.
    assert len(store.groups) == 7


async def test_a_deadlock_is_tried_again(writer: GroupCommit, store: FakeBatchStore) -> None:
    """The one that PostgreSQL sacrifices comes again by itself."""
    store.failures = [FlushCollision(), FlushCollision()]

    assert await outcomes(writer, new_batch()) == [Verdict.STORED]


async def test_endless_collisions_end_in_a_retry_by_the_board(
    writer: GroupCommit, store: FakeBatchStore
) -> None:
    """Nobody waits for ever."""
    store.failures = [FlushCollision() for _ in range(6)]

    (found,) = await outcomes(writer, new_batch())

    assert isinstance(found, Unavailable)
    assert await outcomes(writer, new_batch()) == [Verdict.STORED]


async def test_a_lost_connection_is_told_to_all_who_waited(
    writer: GroupCommit, store: FakeBatchStore
) -> None:
    """Whether it was committed is unknown: the boards come again, and the lane goes on."""
    store.failures = [Unavailable("gone")]

    found = await outcomes(writer, new_batch(1), new_batch(2))

    assert [type(outcome) for outcome in found] == [Unavailable] * 2
    assert await outcomes(writer, new_batch(1)) == [Verdict.STORED]


async def test_a_defect_leaves_nobody_waiting(writer: GroupCommit, store: FakeBatchStore) -> None:
    """An exception that nobody foresaw reaches the callers, and the lane goes on."""
    store.failures = [ZeroDivisionError()]

    (found,) = await outcomes(writer, new_batch())

    assert isinstance(found, ZeroDivisionError)
    assert await outcomes(writer, new_batch()) == [Verdict.STORED]


async def test_the_same_batch_twice_in_a_flush_is_stored_once(
    writer: GroupCommit, store: FakeBatchStore
) -> None:
    """A board that retries before the answer gets two acknowledgements of one batch."""
    found = await outcomes(writer, new_batch(), new_batch())

    assert found == [Verdict.STORED, Verdict.REPEATED]
    assert [len(group) for group in store.groups] == [1]


async def test_two_payloads_under_one_key_in_a_flush_conflict(
    writer: GroupCommit, store: FakeBatchStore
) -> None:
    """The one that was first is stored, the other refused."""
    found = await outcomes(writer, new_batch(0, b"one"), new_batch(0, b"two"))

    assert found == [Verdict.STORED, Verdict.CONFLICTING]


async def test_a_rival_of_a_conflicting_batch_may_be_the_stored_one(
    writer: GroupCommit, store: FakeBatchStore
) -> None:
    """Of two payloads in a flush, the one that is stored already is acknowledged."""
    await outcomes(writer, new_batch(0, b"stored"))

    found = await outcomes(writer, new_batch(0, b"other"), new_batch(0, b"stored"))

    assert found == [Verdict.CONFLICTING, Verdict.REPEATED]


async def test_watchers_hear_of_new_batches_only(
    writer: GroupCommit, observer: FakeFlushObserver
) -> None:
    """A commit is announced with its place in the log; a repeated batch is no news."""
    await outcomes(writer, new_batch())
    await outcomes(writer, new_batch())

    assert observer.announced == [(frozenset([COMPANY]), 1)]


async def test_stopping_stores_what_waits_and_refuses_the_rest(store: FakeBatchStore) -> None:
    """Nothing that was taken in is left unanswered."""
    writer = GroupCommit([store], FlushLimits(interval_s=3600), FakeFlushObserver())
    waiting = [writer.submit(new_batch(seq)) for seq in range(3)]

    await writer.drain()

    assert await asyncio.gather(*waiting) == [Verdict.STORED] * 3
    assert store.closed
    with pytest.raises(Unavailable):
        writer.submit(new_batch(9))


async def test_a_stalled_lane_does_not_hold_up_the_other() -> None:
    """Devices are spread over connections."""
    stalled, free = FakeBatchStore(), FakeBatchStore()
    stalled.go_on.clear()
    writer = GroupCommit([stalled, free], LIMITS, FakeFlushObserver())
    lanes = [new_batch(device_id=type(COMPANY)(int=number)) for number in (0, 1)]

    late, quick = (writer.submit(batch) for batch in lanes)

    assert await quick is Verdict.STORED
    assert not late.done()
    assert writer.depth == 0
    stalled.go_on.set()
    assert await late is Verdict.STORED
    await writer.drain()
