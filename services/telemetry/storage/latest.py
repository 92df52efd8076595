"""The newest values: a row for each device, and the part of the log that is not in it yet."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import Database
from services.telemetry.codec.columns import decode_newest
from services.telemetry.domain.devices import Device
from services.telemetry.domain.latest import Fix, Latest, Newest
from services.telemetry.ports.reading import Snapshot
from services.telemetry.storage.ingest_log import (
    HORIZON,
    LoggedBatch,
    named_batches,
    with_payloads,
)
from services.telemetry.storage.moments import milliseconds, moment
from services.telemetry.storage.tables import DEVICE_LATEST

CONSUMER = "latest"

# The whole log from the cursor on, beyond the horizon too: whatever this snapshot sees.
_UNFOLDED = sa.text("""
SELECT l.txid::text::bigint AS position, l.company_id, l.committed_at,
       l.device_ids, l.t0s, l.boot_ids, l.seqs, l.parts
FROM ingest_log AS l
WHERE l.company_id = :company_id
  AND l.txid >= coalesce(
      (SELECT c.next_txid FROM log_cursor AS c
       WHERE c.company_id = :company_id AND c.consumer = :consumer), '0'::xid8)
  AND (CAST(:device_id AS uuid) IS NULL OR l.device_ids @> ARRAY[CAST(:device_id AS uuid)])
ORDER BY l.txid
""")

_RECENT = sa.text(f"""
SELECT {HORIZON}::text::bigint AS horizon,
       coalesce(array_agg(l.txid::text::bigint), '{{}}') AS included
FROM ingest_log AS l
WHERE l.company_id = :company_id AND l.txid >= {HORIZON}
""")  # noqa: S608 - constants of this package

_UPSERT = insert(DEVICE_LATEST)
_UPSERT = _UPSERT.on_conflict_do_update(
    index_elements=["company_id", "device_id"],
    set_={
        column.name: _UPSERT.excluded[column.name]
        for column in DEVICE_LATEST.c
        if not column.primary_key
    },
)

DeviceKey = tuple[uuid.UUID, uuid.UUID]
"""Company and device."""


class PostgresLatestReader:
    """The newest values, whatever was acknowledged before included."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_device(self, device: Device) -> Latest:
        """Return the newest of one device."""
        async with self._database.transaction(isolation="REPEATABLE READ") as session:
            found = await _current(session, device.company_id, device.device_id)
        return found.get(device.device_id) or Latest()

    async def snapshot(self, company_id: uuid.UUID, device_id: uuid.UUID | None) -> Snapshot:
        """Return the newest of a company's devices, or of one, with the log's position."""
        async with self._database.transaction(isolation="REPEATABLE READ") as session:
            latest = await _current(session, company_id, device_id)
            recent = (await session.execute(_RECENT, {"company_id": company_id})).one()
        return Snapshot(latest, recent.horizon, frozenset(recent.included))


async def _current(
    session: AsyncSession, company_id: uuid.UUID, device_id: uuid.UUID | None
) -> dict[uuid.UUID, Latest]:
    folded = sa.select(DEVICE_LATEST).where(DEVICE_LATEST.c.company_id == company_id)
    if device_id is not None:
        folded = folded.where(DEVICE_LATEST.c.device_id == device_id)
    latest = {row.device_id: _latest(row) for row in await session.execute(folded)}
    unfolded = await session.execute(
        _UNFOLDED, {"company_id": company_id, "consumer": CONSUMER, "device_id": device_id}
    )
    named = list(named_batches(unfolded, device_id))
    async for batch, payload in with_payloads(session, named):
        latest.setdefault(batch.device_id, Latest()).absorb(newest_of(batch, payload))
    return latest


def newest_of(batch: LoggedBatch, payload: bytes) -> Latest:
    """Return what a batch adds to the newest values."""
    newest = decode_newest(payload, batch.t0_ms)
    newest.uploaded_at_ms = milliseconds(batch.committed_at)
    return newest


async def load_latest(
    session: AsyncSession, devices: Iterable[DeviceKey]
) -> dict[DeviceKey, Latest]:
    """Read the rows of devices; one that never sent anything gets an empty one."""
    keys = sorted(devices)
    if not keys:
        return {}
    named = sa.tuple_(DEVICE_LATEST.c.company_id, DEVICE_LATEST.c.device_id).in_(keys)
    rows = await session.execute(sa.select(DEVICE_LATEST).where(named))
    found = {(row.company_id, row.device_id): _latest(row) for row in rows}
    return {key: found.get(key) or Latest() for key in keys}


async def save_latest(session: AsyncSession, latest: Mapping[DeviceKey, Latest]) -> None:
    """Write the rows of devices."""
    if latest:
        await session.execute(_UPSERT, [_row(*key, value) for key, value in latest.items()])


def _latest(row: Any) -> Latest:
    readings: Sequence[tuple[str, int, float]] = list(
        zip(row.sensors, row.times_ms, row.readings, strict=True)
    )
    fix = None
    if row.position_ms is not None:
        fix = Fix(row.position_ms, row.latitude_e7, row.longitude_e7)
    return Latest(
        {sensor: Newest(time_ms, value) for sensor, time_ms, value in readings},
        fix,
        milliseconds(row.last_upload_at),
    )


def _row(company_id: uuid.UUID, device_id: uuid.UUID, latest: Latest) -> dict[str, Any]:
    fix = latest.fix
    uploaded_at: datetime = moment(latest.uploaded_at_ms).astimezone(UTC)
    return {
        "company_id": company_id,
        "device_id": device_id,
        "sensors": list(latest.sensors),
        "times_ms": [newest.time_ms for newest in latest.sensors.values()],
        "readings": [newest.value for newest in latest.sensors.values()],
        "position_ms": fix and fix.time_ms,
        "latitude_e7": fix and fix.latitude_e7,
        "longitude_e7": fix and fix.longitude_e7,
        "last_upload_at": uploaded_at,
    }
