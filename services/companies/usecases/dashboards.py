"""Dashboards: several services are asked at once, and whoever doesn't answer is left out."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from services.chassis.errors import PermissionDenied, Unavailable
from services.chassis.identity import Caller, Role, TenantScope
from services.companies.domain.companies import Company
from services.companies.domain.dashboards import (
    PARTS,
    Dashboard,
    DashboardType,
    DeviceFigures,
    FleetFigures,
    Part,
    PeopleFigures,
    QuotaUse,
)
from services.companies.domain.errors import CompanyRequired
from services.companies.ports.dashboards import (
    DashboardViews,
    DeviceCensus,
    LoginCensus,
    PeopleCensus,
)
from services.companies.ports.store import Clock, Transactions

T = TypeVar("T")

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Censuses:
    """Who is asked for the numbers of other services."""

    people: PeopleCensus
    devices: DeviceCensus
    logins: LoginCensus


class DashboardUseCases:
    """The operations on dashboards."""

    def __init__(
        self, transactions: Transactions, censuses: Censuses, views: DashboardViews, clock: Clock
    ) -> None:
        self._transactions = transactions
        self._censuses = censuses
        self._views = views
        self._clock = clock

    async def get_dashboard(
        self, caller: Caller, dashboard: DashboardType, company_id: uuid.UUID | None
    ) -> Dashboard:
        """Return a dashboard of a company in the caller's reach."""
        company_id = company_id or caller.company_id
        if company_id is None:
            raise CompanyRequired("company_id")
        if dashboard is DashboardType.SECURITY and caller.role is Role.MANAGER:
            raise PermissionDenied("Your role may not see this dashboard.")
        now = self._clock()
        async with self._transactions.begin() as work:
            company = await work.companies.get(caller.scope, company_id)
            fleet = await work.fleet_census.count(TenantScope.company(company_id), now - _DAY)
        parts, ask = PARTS[dashboard], self._censuses
        people, devices, logins = await asyncio.gather(
            _answer(Part.PEOPLE in parts, ask.people.count, company_id),
            _answer(Part.DEVICES in parts, ask.devices.count, company_id),
            _answer(Part.SECURITY in parts, ask.logins.count, company_id),
        )
        self._views.viewed(dashboard)
        return Dashboard(
            type=dashboard,
            company_id=company_id,
            as_of_time=now,
            fleet=fleet,
            people=people,
            devices=devices,
            logins=logins,
            quota_uses=_quota_uses(company, fleet, people, devices),
        )


async def _answer(
    wanted: bool,  # noqa: FBT001 - what is asked for is clear from the name
    count: Callable[[uuid.UUID], Awaitable[T]],
    company_id: uuid.UUID,
) -> T | None:
    if not wanted:
        return None
    try:
        return await count(company_id)
    except Unavailable:
        return None


def _quota_uses(
    company: Company,
    fleet: FleetFigures,
    people: PeopleFigures | None,
    devices: DeviceFigures | None,
) -> list[QuotaUse]:
    """Tell how much is used of the quotas whose use is known."""
    quotas = company.quotas
    uses = [QuotaUse("vehicles", fleet.vehicles, quotas.vehicles_max)]
    if people is not None:
        uses.append(QuotaUse("users", people.total, quotas.users_max))
    if devices is not None:
        uses.append(QuotaUse("devices", devices.total, quotas.devices_max))
    return uses
