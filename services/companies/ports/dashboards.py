"""What dashboards need: numbers of this service, and of those that own the others."""

import uuid
from datetime import datetime
from typing import Protocol

from services.chassis.identity import TenantScope
from services.companies.domain.dashboards import (
    DashboardType,
    DeviceFigures,
    FleetFigures,
    LoginFigures,
    PeopleFigures,
)


class FleetCensus(Protocol):
    """Counts what this service owns."""

    async def count(self, scope: TenantScope, since: datetime) -> FleetFigures:
        """Count vehicles, teams and who is where; assignments from a moment on."""


class PeopleCensus(Protocol):
    """Counts people."""

    async def count(self, company_id: uuid.UUID) -> PeopleFigures:
        """Count a company's people.

        Raises:
            Unavailable: nobody can tell at the moment.
        """


class DeviceCensus(Protocol):
    """Counts devices."""

    async def count(self, company_id: uuid.UUID) -> DeviceFigures:
        """Count a company's devices.

        Raises:
            Unavailable: nobody can tell at the moment.
        """


class LoginCensus(Protocol):
    """Counts logins."""

    async def count(self, company_id: uuid.UUID) -> LoginFigures:
        """Count how a company's people log in.

        Raises:
            Unavailable: nobody can tell at the moment.
        """


class DashboardViews(Protocol):
    """Counts dashboards that were looked at."""

    def viewed(self, dashboard: DashboardType) -> None:
        """Count one."""
