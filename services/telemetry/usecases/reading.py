"""Answers questions about stored readings, page by page."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from services.chassis.identity import Caller
from services.telemetry.domain.columns import Grid
from services.telemetry.domain.devices import Device
from services.telemetry.domain.errors import SensorNotFound, TimeRangeInvalid
from services.telemetry.domain.latest import Latest
from services.telemetry.ports.general import Clock
from services.telemetry.ports.reading import Chunk, History, LatestReader
from services.telemetry.ports.registry import Registry

_RANGE_DEFAULT_MS = 3_600_000
_SCANNED_BATCHES_MAX = 5_000
"""A page that would take more than this to fill is returned as far as it got."""


@dataclass(frozen=True, slots=True)
class RangeQuery:
    """The range that a caller asks for; None is the default."""

    start_ms: int | None
    """The first instant."""
    end_ms: int | None
    """The first instant after."""
    limit: int
    continued: bool = False
    """Whether this is a later page."""


@dataclass(frozen=True, slots=True)
class RangePage:
    """A part of a range, and where the next part starts: None on the last."""

    grid: Grid
    next_start_ms: int | None
    end_ms: int


class ReadingUseCases:
    """The questions about readings."""

    def __init__(
        self, registry: Registry, history: History, latest: LatestReader, *, clock: Clock
    ) -> None:
        self._registry = registry
        self._history = history
        self._latest = latest
        self._clock = clock

    async def get_latest(self, caller: Caller, device_id: uuid.UUID) -> Latest:
        """Return the newest value of each sensor and the newest position."""
        return await self._latest.of_device(await self._device(caller, device_id))

    async def list_readings(
        self, caller: Caller, device_id: uuid.UUID, sensor: str, query: RangeQuery
    ) -> RangePage:
        """Return a page of one sensor's readings, oldest first, one for each time."""
        device = await self._device(caller, device_id)
        start_ms, end_ms = self._resolved(query)
        chunks = self._history.series(device, sensor, start_ms, end_ms)
        page = await _page(chunks, start_ms, end_ms, query.limit)
        if not len(page.grid) and not query.continued and page.next_start_ms is None:
            await self._require_sensor(device, sensor)
        return page

    async def list_positions(
        self, caller: Caller, device_id: uuid.UUID, query: RangeQuery
    ) -> RangePage:
        """Return a page of a device's positions, oldest first, one for each time."""
        device = await self._device(caller, device_id)
        start_ms, end_ms = self._resolved(query)
        chunks = self._history.track(device, start_ms, end_ms)
        return await _page(chunks, start_ms, end_ms, query.limit)

    async def _device(self, caller: Caller, device_id: uuid.UUID) -> Device:
        async with self._registry.begin() as work:
            return await work.devices.get(caller.scope, device_id)

    async def _require_sensor(self, device: Device, sensor: str) -> None:
        latest = await self._latest.of_device(device)
        if sensor not in latest.sensors:
            raise SensorNotFound(device.device_id, sensor)

    def _resolved(self, query: RangeQuery) -> tuple[int, int]:
        end_ms = _ms(self._clock()) if query.end_ms is None else query.end_ms
        start_ms = end_ms - _RANGE_DEFAULT_MS if query.start_ms is None else query.start_ms
        if start_ms >= end_ms:
            raise TimeRangeInvalid("end_time must be after start_time.")
        # Nothing is stored from before 1970, so that nothing is missed and no date underflows.
        return max(start_ms, 0), max(end_ms, 1)


async def _page(
    chunks: AsyncGenerator[Chunk, None], start_ms: int, end_ms: int, limit: int
) -> RangePage:
    """Collect chunks until a page is complete: until nothing earlier can come any more."""
    held: Grid | None = None
    scanned = 0
    async with aclosing(chunks) as source:
        async for chunk in source:
            part = chunk.grid.between(start_ms, end_ms)
            joined = part if held is None else Grid.joined([held, part], len(part.rows))
            held = joined.in_order()
            scanned += chunk.batch_count
            ready = int(np.searchsorted(held.times_ms, chunk.complete_until_ms))
            if ready > limit:
                page = held.head(limit)
                return RangePage(page, int(page.times_ms[-1]) + 1, end_ms)
            if scanned >= _SCANNED_BATCHES_MAX and start_ms < chunk.complete_until_ms < end_ms:
                return RangePage(held.head(ready), chunk.complete_until_ms, end_ms)
    return RangePage(held or Grid.joined([], 0), None, end_ms)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
