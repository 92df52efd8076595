"""The log of flushes: nothing is skipped whatever the order of commits, nothing is folded twice."""

import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import Database
from services.telemetry.domain.batches import NewBatch
from services.telemetry.domain.devices import Device, DeviceStatus
from services.telemetry.storage import batch_store, log_folder
from services.telemetry.storage.batch_store import PostgresBatchStore
from services.telemetry.storage.ingest_log import PostgresCommitLog
from services.telemetry.storage.latest import PostgresLatestReader
from services.telemetry.storage.log_folder import PostgresLatestFolder
from services.telemetry.storage.partitions import PostgresPartitions
from tests.fixtures.telemetry_fakes import new_batch
from tests.fixtures.telemetry_storage import now_ms
from tests.integration.telemetry.conftest import batch_of


class Writer:
    """A store, a device of a company of its own, and a transaction that may stay open."""

    def __init__(self, pool: Database, store: PostgresBatchStore) -> None:
        self.pool = pool
        self.store = store
        self.device = Device(
            device_id=uuid.uuid4(),
            company_id=uuid.uuid4(),
            hardware_id="board",
            display_name="Board",
            vehicle_id=None,
            status=DeviceStatus.CLAIMED,
            created_at=datetime.now(UTC),
        )

    def batch(self, value: float, seq: int = 0) -> NewBatch:
        """A batch of one reading, a second later for each sequence number."""
        t0_ms = now_ms() // 60_000 * 60_000 + seq * 1000
        return new_batch(
            seq,
            batch_of(value, seq=seq, start_unix_ms=t0_ms).SerializeToString(),
            company_id=self.device.company_id,
            device_id=self.device.device_id,
            t0_ms=t0_ms,
            t1_ms=t0_ms,
        )

    async def put(self, value: float, seq: int = 0) -> int:
        """Commit a batch; returns its place in the log."""
        return (await self.store.store([self.batch(value, seq)])).position

    async def newest(self) -> float | None:
        """The newest value."""
        latest = await PostgresLatestReader(self.pool).of_device(self.device)
        found = latest.sensors.get("speed_kmh")
        return found.value if found else None


@pytest.fixture
async def writer(telemetry_pool: Database, partitions: PostgresPartitions) -> AsyncIterator[Writer]:
    """A writer."""
    store = PostgresBatchStore(telemetry_pool, partitions)
    yield Writer(telemetry_pool, store)
    await store.close()


@pytest.fixture
async def slow(telemetry_pool: Database) -> AsyncIterator[asyncpg.Connection]:
    """The connection of a replica whose flush takes its time."""
    connection = await telemetry_pool.connect()
    yield connection
    await connection.close()


async def values(log: PostgresCommitLog, writer: Writer, position: int) -> list[float]:
    """The values that the log hands out from a position."""
    page = await log.read(writer.device.company_id, position)
    return [
        float(batch.columns.sensors["speed_kmh"].values[0])
        for entry in page.entries
        for batch in entry.batches
    ]


async def test_an_entry_that_commits_late_is_not_skipped(
    writer: Writer, slow: asyncpg.Connection
) -> None:
    """A flush that began first and commits last holds back those that came after it."""
    log = PostgresCommitLog(writer.pool)
    begun = await log.position()
    transaction = slow.transaction()
    await transaction.start()
    await batch_store._store(slow, [writer.batch(1.0, 1)])
    await writer.put(2.0, 2)

    page = await log.read(writer.device.company_id, begun)
    assert page.entries == []
    await transaction.commit()

    assert await values(log, writer, page.next_position) == [1.0, 2.0]


async def test_an_entry_that_is_rolled_back_is_no_gap(
    writer: Writer, slow: asyncpg.Connection
) -> None:
    """The log goes on without it."""
    log = PostgresCommitLog(writer.pool)
    begun = await log.position()
    transaction = slow.transaction()
    await transaction.start()
    await batch_store._store(slow, [writer.batch(1.0, 1)])
    await writer.put(2.0, 2)
    await transaction.rollback()

    assert await values(log, writer, begun) == [2.0]


async def test_a_snapshot_and_the_log_after_it_have_every_batch_once(
    writer: Writer, slow: asyncpg.Connection
) -> None:
    """A snapshot taken while an older flush runs says what of the newer log it holds."""
    reader, log = PostgresLatestReader(writer.pool), PostgresCommitLog(writer.pool)
    transaction = slow.transaction()
    await transaction.start()
    await batch_store._store(slow, [writer.batch(1.0, 1)])
    place = await writer.put(2.0, 2)

    snapshot = await reader.snapshot(writer.device.company_id, None)
    await transaction.commit()

    assert snapshot.latest[writer.device.device_id].sensors["speed_kmh"].value == 2.0
    assert place in snapshot.included
    page = await log.read(writer.device.company_id, snapshot.position)
    streamed = [entry for entry in page.entries if entry.position not in snapshot.included]
    assert [len(entry.batches) for entry in streamed] == [1]
    assert streamed[0].batches[0].columns.sensors["speed_kmh"].values.tolist() == [1.0]


async def test_an_acknowledged_value_is_visible_while_nothing_is_folded(
    writer: Writer, slow: asyncpg.Connection
) -> None:
    """Neither a folder that doesn't run nor an older transaction hides it."""
    async with slow.transaction():
        await slow.execute("SELECT pg_current_xact_id()")
        await writer.put(1.0)
        await PostgresLatestFolder(writer.pool).fold()

        assert await writer.newest() == 1.0


async def test_folding_changes_nothing_that_is_read(writer: Writer) -> None:
    """Before, in between and after, the newest value is the same."""
    folder = PostgresLatestFolder(writer.pool)
    for seq in range(3):
        await writer.put(float(seq), seq)
        assert await writer.newest() == float(seq)
        await folder.fold()
        assert await writer.newest() == float(seq)


class _ProcessEnds(Exception):
    """Stands in for a process that ends here."""


class _DyingFolder(PostgresLatestFolder):
    """A folder whose process ends between the effect and the commit."""

    async def _apply(self, session: AsyncSession, entries: Sequence[Any]) -> None:
        await super()._apply(session, entries)
        raise _ProcessEnds


async def test_a_folder_that_dies_leaves_its_work_to_the_next(writer: Writer) -> None:
    """Effect and cursor are committed together or not at all."""
    folder = PostgresLatestFolder(writer.pool)
    await writer.put(1.0, 1)
    await folder.fold()
    await writer.put(2.0, 2)
    with pytest.raises(_ProcessEnds):
        await _DyingFolder(writer.pool).fold()
    assert await writer.newest() == 2.0

    await folder.fold()

    assert await writer.newest() == 2.0
    assert await folded(writer) == [2.0]


async def folded(writer: Writer) -> list[float] | None:
    """What the device's row holds."""
    query = sa.text("SELECT readings FROM device_latest WHERE device_id = :device_id")
    async with writer.pool.transaction() as session:
        found = await session.execute(query, {"device_id": writer.device.device_id})
        readings = found.scalar_one_or_none()
    return None if readings is None else list(readings)


async def test_one_folder_works_at_a_time(writer: Writer, slow: asyncpg.Connection) -> None:
    """The second finds the lock taken and leaves; what it leaves is how far behind it is."""
    folder = PostgresLatestFolder(writer.pool)
    await folder.fold()
    await writer.put(1.0)
    async with slow.transaction():
        await slow.execute("SELECT pg_advisory_xact_lock($1)", log_folder._LOCK_KEY)
        await folder.fold()
        assert await folded(writer) is None

    await folder.fold()
    assert await folded(writer) == [1.0]


async def test_the_lag_is_the_age_of_what_is_left(writer: Writer, slow: asyncpg.Connection) -> None:
    """An older transaction that doesn't end shows as lag, not as silence."""
    folder = PostgresLatestFolder(writer.pool)
    async with slow.transaction():
        await slow.execute("SELECT pg_current_xact_id()")
        await writer.put(1.0)
        await folder.fold()
        assert folder.lag_s > 0

    await folder.fold()
    assert folder.lag_s == 0


async def test_only_what_was_folded_is_pruned(writer: Writer) -> None:
    """And only what is older than watchers may need."""
    folder, log = PostgresLatestFolder(writer.pool), PostgresCommitLog(writer.pool)
    later = datetime.now(UTC) + timedelta(hours=1)
    await writer.put(1.0, 1)
    await folder.fold()
    await writer.put(2.0, 2)

    await folder.prune(datetime.now(UTC) - timedelta(hours=1))
    assert await values(log, writer, 0) == [1.0, 2.0]
    await folder.prune(later)
    assert await values(log, writer, 0) == [2.0]
    assert await writer.newest() == 2.0
    await folder.fold()
    await folder.prune(later)
    assert await values(log, writer, 0) == []
    assert await writer.newest() == 2.0
