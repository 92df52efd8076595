"""The numbers of dashboards from PostgreSQL."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.identity import TenantScope
from services.companies.domain.assignments import Duty
from services.companies.domain.dashboards import FleetFigures
from services.companies.domain.vehicles import VehicleStatus, VehicleType
from services.companies.storage.scopes import within
from services.companies.storage.tables.assignments import AssignmentRow
from services.companies.storage.tables.teams import MembershipRow, TeamRow
from services.companies.storage.tables.vehicles import VehicleRow


class PostgresFleetCensus:
    """Counts in one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def count(self, scope: TenantScope, since: datetime) -> FleetFigures:
        """Count vehicles, teams and who is where."""
        statuses: dict[VehicleStatus, int] = {}
        types: dict[VehicleType, int] = {}
        without_team = 0
        for status, kind, in_team, count in await self._session.execute(_vehicles(scope)):
            statuses[VehicleStatus(status)] = statuses.get(VehicleStatus(status), 0) + count
            types[VehicleType(kind)] = types.get(VehicleType(kind), 0) + count
            if not in_team and status != VehicleStatus.RETIRED:
                without_team += count
        numbers = (await self._session.execute(_numbers(scope, since))).one()
        return FleetFigures(
            vehicles_by_status=statuses,
            vehicles_by_type=types,
            active_without_driver=statuses.get(VehicleStatus.ACTIVE, 0) - numbers.active_driven,
            unretired_without_team=without_team,
            teams=numbers.teams,
            team_members=numbers.members,
            drivers_assigned=numbers.drivers,
            helpers_assigned=numbers.helpers,
            assignments_started=numbers.started,
        )


def _vehicles(scope: TenantScope) -> sa.Select[str, str, bool, int]:
    in_team = col(VehicleRow.team_id).is_not(None).label("in_team")
    status, kind = col(VehicleRow.status), col(VehicleRow.type)
    query = sa.select(status, kind, in_team, sa.func.count())
    mine = within(col(VehicleRow.company_id), scope)
    return query.where(mine).group_by(status, kind, in_team)


def _numbers(scope: TenantScope, since: datetime) -> sa.Select[Any]:
    assigned = within(col(AssignmentRow.company_id), scope)
    present = col(AssignmentRow.end_time).is_(None)
    driving = col(AssignmentRow.duty) == Duty.DRIVER.value
    helping = col(AssignmentRow.duty) == Duty.HELPER.value
    active_driven = (
        sa.select(sa.func.count())
        .select_from(AssignmentRow)
        .join(VehicleRow, col(VehicleRow.vehicle_id) == col(AssignmentRow.vehicle_id))
        .where(assigned, present, driving, col(VehicleRow.status) == VehicleStatus.ACTIVE.value)
    )
    return sa.select(
        active_driven.scalar_subquery().label("active_driven"),
        _count(assigned, present, driving).label("drivers"),
        _count(assigned, present, helping).label("helpers"),
        _count(assigned, col(AssignmentRow.start_time) >= since).label("started"),
        _count(within(col(TeamRow.company_id), scope)).label("teams"),
        _count(
            within(col(MembershipRow.company_id), scope), col(MembershipRow.end_time).is_(None)
        ).label("members"),
    )


def _count(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).where(*conditions).scalar_subquery()
