"""What the service counts: its own data, and who looks at it."""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.chassis.workers import Worker, pause
from services.companies.domain.dashboards import DashboardType

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


class DashboardViewCounter:
    """Counts dashboards that were looked at."""

    def __init__(self, registry: CollectorRegistry) -> None:
        views = Counter(
            "dashboard_views_total", "Dashboards that were looked at.", ["type"], registry=registry
        )
        self._views = {kind: views.labels(kind.value) for kind in DashboardType}

    def viewed(self, dashboard: DashboardType) -> None:
        """Count one."""
        self._views[dashboard].inc()
