"""Ranges of readings, out of the batches that overlap them."""

import uuid
from collections.abc import AsyncGenerator, Callable
from datetime import datetime

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import Database
from services.telemetry.codec.columns import decode_series, decode_track
from services.telemetry.domain.columns import Grid
from services.telemetry.domain.devices import Device
from services.telemetry.ports.reading import Chunk
from services.telemetry.storage.moments import milliseconds, moment
from services.telemetry.storage.tables import DEVICE_SPAN, TELEMETRY_BATCH

_CHUNK_BATCHES = 100

Decode = Callable[[bytes, int], Grid | None]

_BATCH = TELEMETRY_BATCH.c
_ORDER = (_BATCH.t0, _BATCH.boot_id, _BATCH.seq, _BATCH.part)


class PostgresHistory:
    """Stored readings by time; each read is of one moment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def series(
        self, device: Device, sensor: str, start_ms: int, end_ms: int
    ) -> AsyncGenerator[Chunk, None]:
        """Read one sensor: rows are (value,)."""

        def decode(payload: bytes, t0_ms: int) -> Grid | None:
            series = decode_series(payload, t0_ms, sensor)
            return None if series is None else Grid(series.times_ms, [series.values])

        return self._chunks(device, start_ms, end_ms, decode, width=1)

    def track(self, device: Device, start_ms: int, end_ms: int) -> AsyncGenerator[Chunk, None]:
        """Read the positions: rows are (latitude, longitude), both times 10^7."""

        def decode(payload: bytes, t0_ms: int) -> Grid:
            track = decode_track(payload, t0_ms)
            return Grid(track.times_ms, [track.latitudes_e7, track.longitudes_e7])

        return self._chunks(device, start_ms, end_ms, decode, width=2)

    async def _chunks(
        self, device: Device, start_ms: int, end_ms: int, decode: Decode, *, width: int
    ) -> AsyncGenerator[Chunk, None]:
        async with self._database.transaction(isolation="REPEATABLE READ") as session:
            span_ms = await _span_bound(session, device.company_id, device.device_id)
            query = (
                sa.select(*_ORDER, _BATCH.payload)
                .where(
                    _BATCH.company_id == device.company_id,
                    _BATCH.device_id == device.device_id,
                    # A batch that began before the range may reach into it.
                    _BATCH.t0 >= moment(start_ms - span_ms),
                    _BATCH.t0 < moment(end_ms),
                )
                .order_by(*_ORDER)
                .limit(_CHUNK_BATCHES)
            )
            after: tuple[datetime, int, int, int] | None = None
            while True:
                page = query if after is None else query.where(sa.tuple_(*_ORDER) > after)
                rows = (await session.execute(page)).all()
                grids = [decode(row.payload, milliseconds(row.t0)) for row in rows]
                last = len(rows) < _CHUNK_BATCHES
                yield Chunk(
                    Grid.joined([grid for grid in grids if grid is not None], width),
                    end_ms if last else milliseconds(rows[-1].t0),
                    len(rows),
                )
                if last:
                    return
                after = tuple(rows[-1])[:4]


async def _span_bound(session: AsyncSession, company_id: uuid.UUID, device_id: uuid.UUID) -> int:
    query = sa.select(DEVICE_SPAN.c.span_bound_ms).where(
        DEVICE_SPAN.c.company_id == company_id, DEVICE_SPAN.c.device_id == device_id
    )
    return (await session.execute(query)).scalar_one_or_none() or 0
