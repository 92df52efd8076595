"""Watchers get every batch once, in order, and slow ones hold up nobody."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest

from services.chassis.errors import TokenExpired, TokenInvalid, Unavailable
from services.chassis.identity import Caller, CallerKind, Role
from services.telemetry.domain.columns import Columns, Series, Track
from services.telemetry.domain.latest import Latest
from services.telemetry.ports.reading import (
    CommitHint,
    CommittedBatch,
    LogEntry,
    LogPage,
    Snapshot,
)
from services.telemetry.usecases.live import LiveFeeds, Watcher
from services.telemetry.usecases.watching import BatchItem, EndItem, WatchUseCases
from tests.fixtures.telemetry_fakes import COMPANY, FixedClock
from tests.fixtures.telemetry_registry_fakes import FakeCompanies, FakeRegistry

CALLER = Caller(CallerKind.USER, str(uuid.uuid4()), Role.MANAGER, COMPANY, None, 2**40)
NOTHING = np.empty(0, np.int64)


def batch(number: int, device: int = 1) -> CommittedBatch:
    """A batch whose only value is its number."""
    series = Series(np.array([number]), np.array([float(number)]))
    return CommittedBatch(
        uuid.UUID(int=device), Columns({"n": series}, Track(NOTHING, NOTHING, NOTHING))
    )


def number_of(committed: CommittedBatch) -> int:
    """The number of a batch."""
    return int(committed.columns.sensors["n"].values[0])


def drained(watcher: Watcher) -> list[tuple[int, int]]:
    """Everything that waits: number and skipped."""
    found = []
    while (taken := watcher.take()) is not None:
        found.append((number_of(taken[0]), taken[1]))
    return found


def test_a_slow_watcher_loses_its_oldest_and_is_told() -> None:
    """Each device's loss is told with its next batch."""
    watcher = Watcher(None, capacity=2)
    for position, committed in enumerate([batch(0, 1), batch(1, 2), batch(2, 1), batch(3, 1)]):
        watcher.offer(position, committed)

    assert drained(watcher) == [(2, 1), (3, 0)]
    watcher.offer(9, batch(4, 2))
    assert drained(watcher) == [(4, 1)]


def test_a_watcher_of_one_device_gets_no_other() -> None:
    """Nor are others' batches counted as skipped."""
    watcher = Watcher(uuid.UUID(int=1), capacity=1)
    for position, device in enumerate((1, 2, 2)):
        watcher.offer(position, batch(position, device))

    assert drained(watcher) == [(0, 0)]


def test_what_a_snapshot_holds_is_left_out() -> None:
    """Whether it was queued before the snapshot was known or comes after it."""
    watcher = Watcher(None)
    for position in (5, 7):
        watcher.offer(position, batch(position))
    watcher.begin_after(6, {7, 9})
    for position in (8, 9, 10):
        watcher.offer(position, batch(position))

    assert [number for number, _ in drained(watcher)] == [8, 10]


class FakeLog:
    """A log in memory."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self.failures = 0
        self.reads = 0

    def append(self, *numbers: int) -> None:
        """Commit batches, an entry each."""
        for number in numbers:
            self.entries.append(LogEntry(len(self.entries), [batch(number)]))

    async def position(self) -> int:
        """Return the end."""
        return len(self.entries)

    async def read(self, company_id: uuid.UUID, position: int) -> LogPage:
        """Return what there is."""
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise Unavailable("away")
        return LogPage(self.entries[position:], len(self.entries))


class FakeSignal:
    """Hints that a test gives."""

    def __init__(self) -> None:
        self.hints: list[CommitHint] = []

    @asynccontextmanager
    async def listen(self, company_id: uuid.UUID) -> AsyncIterator[CommitHint]:
        """Listen."""
        hint = CommitHint(asyncio.Event())
        self.hints.append(hint)
        try:
            yield hint
        finally:
            self.hints.clear()


class FakeLatest:
    """Snapshots that a test makes."""

    def __init__(self, log: FakeLog) -> None:
        self._log = log

    async def of_device(self, device: object) -> Latest:
        """Nothing."""
        return Latest()

    async def snapshot(self, company_id: uuid.UUID, device_id: uuid.UUID | None) -> Snapshot:
        """Return everything that there is."""
        return Snapshot({}, await self._log.position(), ())


async def allowed() -> None:
    """The token holds."""


class World:
    """The live part on fakes."""

    def __init__(self) -> None:
        self.log, self.signal = FakeLog(), FakeSignal()
        self.feeds = LiveFeeds(self.log, self.signal)
        self.stopping = asyncio.Event()
        self.usecases = WatchUseCases(
            FakeRegistry(),
            FakeCompanies(COMPANY),
            FakeLatest(self.log),
            self.feeds,
            clock=FixedClock(),
            stopping=self.stopping,
        )

    async def numbers(self, count: int) -> list[int]:
        """Watch until so many batches have come."""
        found: list[int] = []
        items = self.usecases.watch(CALLER, company_id=None, device_id=None, recheck=allowed)
        async for item in items:
            if isinstance(item, BatchItem):
                found.append(number_of(item.batch))
                if len(found) == count:
                    break
        await items.aclose()
        return found


@pytest.fixture
def world() -> World:
    """The live part on fakes."""
    return World()


async def watching(world: World, watchers: int) -> None:
    """Wait until so many watch."""
    while world.feeds.watcher_count < watchers:  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0)


async def test_watchers_of_a_company_share_one_reader(world: World) -> None:
    """It starts with the first and ends with the last."""
    tasks = [asyncio.create_task(world.numbers(2)) for _ in range(3)]
    await watching(world, 3)
    await asyncio.sleep(0.05)
    world.log.append(1, 2)

    assert await asyncio.gather(*tasks) == [[1, 2]] * 3
    assert world.feeds.watcher_count == 0
    assert world.signal.hints == []


async def test_without_hints_the_log_is_read_all_the_same(world: World) -> None:
    """A second later."""
    task = asyncio.create_task(world.numbers(1))
    await watching(world, 1)
    await asyncio.sleep(0.05)
    reads = world.log.reads
    world.log.append(1)

    assert await task == [1]
    assert world.log.reads <= reads + 2


async def test_an_announced_entry_that_is_not_readable_yet_is_waited_for(world: World) -> None:
    """The reader looks again soon, not a second later."""
    task = asyncio.create_task(world.numbers(1))
    await watching(world, 1)
    await asyncio.sleep(0.05)
    reads = world.log.reads
    (hint,) = world.signal.hints
    hint.position = 0
    hint.heard.set()
    await asyncio.sleep(0.3)
    assert world.log.reads > reads + 1
    world.log.append(1)

    assert await task == [1]


async def test_a_log_that_is_away_for_a_moment_costs_nothing(world: World) -> None:
    """The reader goes on where it was."""
    world.log.failures = 1
    task = asyncio.create_task(world.numbers(2))
    await watching(world, 1)
    world.log.append(1, 2)

    assert await task == [1, 2]


async def last_item(world: World, errors: Sequence[Exception] = ()) -> object:
    """Watch to the end."""
    left = list(errors)

    async def recheck() -> None:
        if left:
            raise left.pop()

    items = world.usecases.watch(CALLER, company_id=None, device_id=None, recheck=recheck)
    return [item async for item in items][-1]


async def test_a_stopping_service_ends_its_watches(world: World) -> None:
    """With a reason on which clients come again."""
    task = asyncio.create_task(last_item(world))
    await watching(world, 1)
    world.stopping.set()

    assert await task == EndItem("UNAVAILABLE")


@pytest.mark.parametrize(
    ("error", "reason"),
    [(TokenExpired("over"), "TOKEN_EXPIRED"), (TokenInvalid("key gone"), "TOKEN_REVOKED")],
    ids=["expired", "withdrawn"],
)
async def test_a_token_that_ends_ends_its_watch(
    world: World, error: Exception, reason: str
) -> None:
    """With a reason that the contract lists."""
    assert await last_item(world, [error]) == EndItem(reason)
