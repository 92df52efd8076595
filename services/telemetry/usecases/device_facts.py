"""What uploads need to know of their device, kept in memory.

A disabled device is shut out by the revocation of its tokens within seconds; what is kept here only
decides what it is told, so that it may be minutes old.
"""

import asyncio
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from services.telemetry.domain.devices import DeviceFacts
from services.telemetry.domain.errors import DeviceRevoked
from services.telemetry.ports.ingest import FactsSource
from services.telemetry.usecases.companies import CompaniesInMemory


class FactsCache:
    """The facts about the devices that were seen last."""

    def __init__(
        self,
        source: FactsSource,
        companies: CompaniesInMemory,
        *,
        ttl_s: float = 300.0,
        devices_max: int = 100_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._companies = companies
        self._ttl_s = ttl_s
        self._devices_max = devices_max
        self._monotonic = monotonic
        self._known: OrderedDict[uuid.UUID, tuple[float, DeviceFacts]] = OrderedDict()
        self._loading: dict[uuid.UUID, asyncio.Task[DeviceFacts | None]] = {}

    async def require(self, device_id: uuid.UUID) -> DeviceFacts:
        """Return the facts about a device that may upload.

        Raises:
            DeviceRevoked: it is unknown or disabled.
        """
        known = self._known.get(device_id)
        if known is not None and known[0] > self._monotonic():
            facts: DeviceFacts | None = known[1]
        else:
            facts = await self._load(device_id)
        if facts is None or facts.disabled:
            raise DeviceRevoked(device_id)
        return facts

    def forget(self, device_id: uuid.UUID) -> None:
        """Ask the source again at the next upload."""
        self._known.pop(device_id, None)
        # A look-up that runs may have read what no longer holds.
        self._loading.pop(device_id, None)

    async def _load(self, device_id: uuid.UUID) -> DeviceFacts | None:
        task = self._loading.get(device_id)
        if task is None:
            task = asyncio.create_task(self._fetch(device_id), name="device-facts")
            self._loading[device_id] = task
        # One look-up serves all who wait, so that none of them may cancel it.
        return await asyncio.shield(task)

    async def _fetch(self, device_id: uuid.UUID) -> DeviceFacts | None:
        try:
            facts = await self._look_up(device_id)
            current = self._loading.get(device_id) is asyncio.current_task()
            if facts is not None and current:
                self._keep(device_id, facts)
            return facts
        finally:
            if self._loading.get(device_id) is asyncio.current_task():
                del self._loading[device_id]

    async def _look_up(self, device_id: uuid.UUID) -> DeviceFacts | None:
        found = await self._source.find(device_id)
        if found is None:
            return None
        company = self._companies.of(found.company_id, found.standing)
        return DeviceFacts(company, found.disabled, found.span_bound_ms, shared(found.sensors))

    def _keep(self, device_id: uuid.UUID, facts: DeviceFacts) -> None:
        self._known[device_id] = (self._monotonic() + self._ttl_s, facts)
        self._known.move_to_end(device_id)
        while len(self._known) > self._devices_max:
            self._known.popitem(last=False)


@lru_cache(maxsize=4096)
def shared(sensors: frozenset[str]) -> frozenset[str]:
    """Return the one object for a set of sensors: most devices of a fleet have the same."""
    return sensors
