"""What the service counts about its own data."""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Gauge

from services.chassis.workers import Worker, pause

_REFRESH_S = 15.0


class CompanyGauge:
    """Keeps `companies_total` at what the database says, whichever replica changed it."""

    def __init__(self, count: Callable[[], Awaitable[int]], registry: CollectorRegistry) -> None:
        self._count = count
        self._gauge = Gauge("companies_total", "Companies on the platform.", registry=registry)
        self.worker = Worker("company-gauge", self.run)

    async def run(self, stopping: asyncio.Event) -> None:
        """Count now and then until stopped."""
        while not stopping.is_set():
            self._gauge.set(await self._count())
            await pause(stopping, _REFRESH_S)
