"""The batch table's partitions: one a week, made ahead, or when a batch from the past needs one.

A partition is made as a table of its own and then attached, which doesn't make writers wait as
creating it in place would. There is no default partition: it would have to be searched at every
attachment.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import Database
from services.chassis.errors import EditConflict, Unavailable
from services.telemetry.domain.batches import TimeWindow
from services.telemetry.storage.moments import milliseconds, moment

_MONDAY = date(2020, 1, 6)
_WEEK_MS = 7 * 24 * 3_600_000
_MONDAY_MS = milliseconds(datetime(_MONDAY.year, _MONDAY.month, _MONDAY.day, tzinfo=UTC))
_WEEKS_AHEAD = 2
_PREFIX = "telemetry_batch_"
# A key of our own, so that replicas make one partition after the other.
_LOCK_KEY = 0x64745F7061727473
_TOAST_TARGET_BYTES = 8160

_ATTACHED = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'telemetry_batch'::regclass AND NOT i.inhdetachpending
"""


@dataclass(frozen=True, slots=True)
class Week:
    """The span of time of one partition, by the number of weeks since a Monday in 2020."""

    number: int

    @classmethod
    def of(cls, ms: int) -> Self:
        """Return the week that a time falls into."""
        return cls((ms - _MONDAY_MS) // _WEEK_MS)

    @classmethod
    def named(cls, table: str) -> Self:
        """Return the week of a partition."""
        day = datetime.strptime(table.removeprefix(_PREFIX), "%Y%m%d").replace(tzinfo=UTC)
        return cls.of(milliseconds(day))

    @property
    def start(self) -> datetime:
        """Monday, midnight."""
        return moment(_MONDAY_MS + self.number * _WEEK_MS)

    @property
    def end(self) -> datetime:
        """The Monday after."""
        return self.start + timedelta(weeks=1)

    @property
    def table(self) -> str:
        """The partition's name."""
        return f"{_PREFIX}{self.start:%Y%m%d}"


class PostgresPartitions:
    """Knows which partitions there are, makes and drops them."""

    def __init__(
        self, database: Database, *, window: TimeWindow, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._window = window
        self._clock = clock
        self._known: frozenset[int] = frozenset()
        self._making: dict[Week, asyncio.Task[None]] = {}

    def covers(self, t0_ms: int) -> bool:
        """Tell whether the partition for a time is known to exist."""
        return (t0_ms - _MONDAY_MS) // _WEEK_MS in self._known

    def forget(self) -> None:
        """Look again before the next batch: what was known is no longer true."""
        self._known = frozenset()

    async def ensure(self, t0_ms: int) -> None:
        """Make the partition for a time unless it exists."""
        week = Week.of(t0_ms)
        task = self._making.get(week)
        if task is None:
            task = asyncio.create_task(self._make(week), name="make-partition")
            self._making[week] = task
            task.add_done_callback(lambda _: self._making.pop(week, None))
        # One attempt serves all who wait for it, so that none of them may cancel it.
        await asyncio.shield(task)

    async def keep(self) -> None:
        """Make what will soon be needed, and drop what lies further back than is stored."""
        now_ms = milliseconds(self._clock())
        earliest_ms, latest_ms = self._window.bounds(now_ms)
        for number in range(Week.of(now_ms).number, Week.of(latest_ms).number + _WEEKS_AHEAD + 1):
            if number not in self._known:
                await self.ensure(milliseconds(Week(number).start))
        for week in await self._attached():
            # A week of grace: a batch that was within the window a moment ago may be in the queue.
            if milliseconds(week.end) + _WEEK_MS < earliest_ms:
                await self._drop(week)

    async def _make(self, week: Week) -> None:
        try:
            async with self._database.transaction() as session:
                await session.execute(sa.text("SET LOCAL lock_timeout = '3s'"))
                await _one_at_a_time(session)
                if week not in await _read_attached(session):
                    for statement in _creation(week):
                        await session.execute(sa.text(statement))
        except EditConflict as err:
            # The lock wasn't to be had in time.
            raise Unavailable("The partition for the batch is being made.") from err
        self._known |= {week.number}

    async def _attached(self) -> list[Week]:
        async with self._database.transaction() as session:
            weeks = await _read_attached(session)
        self._known = frozenset(week.number for week in weeks)
        return weeks

    async def _drop(self, week: Week) -> None:
        self._known -= {week.number}
        # Detaching concurrently waits for readers instead of blocking them, and works outside of
        # transactions only.
        connection = await self._database.connect()
        try:
            await connection.execute(
                f"ALTER TABLE telemetry_batch DETACH PARTITION {week.table} CONCURRENTLY"
            )
            await connection.execute(f"DROP TABLE {week.table}")
        finally:
            await connection.close()


async def attached_tables(session: AsyncSession) -> list[str]:
    """Return the names of the batch table's partitions."""
    return [week.table for week in await _read_attached(session)]


async def _one_at_a_time(session: AsyncSession) -> None:
    await session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))


async def _read_attached(session: AsyncSession) -> list[Week]:
    names = (await session.execute(sa.text(_ATTACHED))).scalars()
    return sorted((Week.named(name) for name in names), key=lambda week: week.number)


def _creation(week: Week) -> Iterator[str]:
    bounds = f"'{week.start:%Y-%m-%d}Z'", f"'{week.end:%Y-%m-%d}Z'"
    # A table of this name that isn't attached is left over from a drop that was cut short.
    yield f"DROP TABLE IF EXISTS {week.table}"
    yield (
        f"CREATE TABLE {week.table} (LIKE telemetry_batch INCLUDING ALL, "
        f"CONSTRAINT bounds CHECK (t0 >= {bounds[0]} AND t0 < {bounds[1]})) "
        f"WITH (toast_tuple_target = {_TOAST_TARGET_BYTES})"
    )
    yield (
        f"ALTER TABLE telemetry_batch ATTACH PARTITION {week.table} "
        f"FOR VALUES FROM ({bounds[0]}) TO ({bounds[1]})"
    )
    # The check spared the attachment a scan; every insert would go on paying for it.
    yield f"ALTER TABLE {week.table} DROP CONSTRAINT bounds"
