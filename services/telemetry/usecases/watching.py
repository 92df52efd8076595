"""Watches readings live: what is newest now, then everything that is committed from then on."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from services.chassis.errors import DomainError
from services.chassis.identity import Caller
from services.telemetry.domain.errors import CompanyNotFound, CompanyRequired, DeviceNotFound
from services.telemetry.domain.latest import Latest
from services.telemetry.ports.general import Clock
from services.telemetry.ports.reading import CommittedBatch, LatestReader
from services.telemetry.ports.registry import CompanyDirectory, Registry
from services.telemetry.usecases.live import UNAVAILABLE, LiveFeeds, Watcher

_HEARTBEAT_S = 15.0
_CHECK_S = 2.0
_REASONS = frozenset({"TOKEN_EXPIRED", "TOKEN_REVOKED"})


@dataclass(frozen=True, slots=True)
class LatestItem:
    """A device's newest values when the watch began."""

    device_id: uuid.UUID
    latest: Latest


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What a device has just sent."""

    batch: CommittedBatch
    skipped: int


@dataclass(frozen=True, slots=True)
class HeartbeatItem:
    """A sign of life."""

    at: datetime


@dataclass(frozen=True, slots=True)
class EndItem:
    """Why the watch ends."""

    reason: str


WatchItem = LatestItem | BatchItem | HeartbeatItem | EndItem

Recheck = Callable[[], Awaitable[None]]
"""Raises once the caller's token no longer holds."""


class WatchUseCases:
    """Watching readings."""

    def __init__(
        self,
        registry: Registry,
        companies: CompanyDirectory,
        latest: LatestReader,
        feeds: LiveFeeds,
        *,
        clock: Clock,
        stopping: asyncio.Event,
    ) -> None:
        self._registry = registry
        self._companies = companies
        self._latest = latest
        self._feeds = feeds
        self._clock = clock
        self._stopping = stopping

    async def watch(
        self,
        caller: Caller,
        *,
        company_id: uuid.UUID | None,
        device_id: uuid.UUID | None,
        recheck: Recheck,
    ) -> AsyncGenerator[WatchItem, None]:
        """Stream a company's readings, or one device's, until the token or the service ends."""
        company_id = await self._company(caller, company_id, device_id)
        async with self._feeds.join(company_id, device_id) as watcher:
            snapshot = await self._latest.snapshot(company_id, device_id)
            watcher.begin_after(snapshot.position, snapshot.included)
            for device, latest in snapshot.latest.items():
                yield LatestItem(device, latest)
            async for item in self._follow(watcher, recheck):
                yield item

    async def _follow(self, watcher: Watcher, recheck: Recheck) -> AsyncGenerator[WatchItem, None]:
        spoken_at_s = checked_at_s = time.monotonic()
        # A first sign of life shows that the newest values are complete.
        yield HeartbeatItem(self._clock())
        while True:
            now_s = time.monotonic()
            if self._stopping.is_set() or watcher.ended:
                yield EndItem(UNAVAILABLE)
                return
            if now_s - checked_at_s >= _CHECK_S:
                checked_at_s = now_s
                if reason := await _end_reason(recheck):
                    yield EndItem(reason)
                    return
            if (taken := watcher.take()) is not None:
                spoken_at_s = now_s
                yield BatchItem(*taken)
            elif now_s - spoken_at_s >= _HEARTBEAT_S:
                spoken_at_s = now_s
                yield HeartbeatItem(self._clock())
            else:
                timeout_s = checked_at_s + _CHECK_S - now_s
                await _first_of(watcher.changed, self._stopping, timeout_s=timeout_s)

    async def _company(
        self, caller: Caller, company_id: uuid.UUID | None, device_id: uuid.UUID | None
    ) -> uuid.UUID:
        if device_id is not None:
            async with self._registry.begin() as work:
                device = await work.devices.get(caller.scope, device_id)
            if company_id not in (None, device.company_id):
                raise DeviceNotFound(device_id)
            return device.company_id
        company_id = company_id or caller.company_id
        if company_id is None:
            raise CompanyRequired("company_id")
        if not caller.scope.includes(company_id):
            raise CompanyNotFound(company_id)
        if company_id != caller.company_id:
            await self._companies.require_company(company_id)
        return company_id


async def _end_reason(recheck: Recheck) -> str | None:
    try:
        await recheck()
    except DomainError as err:
        # Whatever else makes a token worthless, such as its key withdrawn, revokes it.
        return err.reason if err.reason in _REASONS else "TOKEN_REVOKED"
    return None


async def _first_of(*events: asyncio.Event, timeout_s: float) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*waits, return_exceptions=True)
