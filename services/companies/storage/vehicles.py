"""Vehicles in PostgreSQL."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from services.chassis.creations import made_by
from services.chassis.database import translate_database_error
from services.chassis.errors import DomainError, EditConflict
from services.chassis.identity import CreationRequest, TenantScope
from services.companies.domain.errors import CompanyNotFound, PlateTaken, VehicleNotFound
from services.companies.domain.fleet_errors import TeamNotFound
from services.companies.domain.search import sort_name
from services.companies.domain.vehicle_lists import (
    VehicleOrderField,
    VehiclePosition,
    VehicleQuery,
    vehicle_search_text,
)
from services.companies.domain.vehicles import Vehicle, VehicleStatus, VehicleType
from services.companies.storage.scopes import within
from services.companies.storage.tables.assignments import AssignmentRow
from services.companies.storage.tables.vehicles import (
    COMPANY_REFERENCE,
    PLATE_KEY,
    TEAM_REFERENCE,
    VehicleRow,
)

_SORT_COLUMNS: Mapping[VehicleOrderField, Mapped[Any]] = {
    VehicleOrderField.CREATE_TIME: col(VehicleRow.create_time),
    VehicleOrderField.DISPLAY_NAME: col(VehicleRow.sort_name),
    VehicleOrderField.PLATE: col(VehicleRow.plate),
    VehicleOrderField.ODOMETER_M: col(VehicleRow.odometer_m),
}


class PostgresVehicleRepository:
    """Vehicles of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(
        self, scope: TenantScope, vehicle: Vehicle, request: CreationRequest | None = None
    ) -> None:
        """Store a vehicle."""
        if not scope.includes(vehicle.company_id):
            raise CompanyNotFound(vehicle.company_id)
        row = VehicleRow(**_values(vehicle))
        row.remember(request)
        self._session.add(row)
        try:
            await self._session.flush()
        except IntegrityError as err:
            meaning = _meaning(err, vehicle)
            if meaning is None:
                raise
            raise meaning from err

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> Vehicle | None:
        """Find the vehicle that an earlier try of a request made."""
        row = await made_by(self._session, VehicleRow, _within(scope), request)
        return _vehicle(row) if row else None

    async def get(self, scope: TenantScope, vehicle_id: uuid.UUID) -> Vehicle:
        """Read a vehicle."""
        return await self._read(_by_id(scope, vehicle_id), vehicle_id)

    async def get_for_change(self, scope: TenantScope, vehicle_id: uuid.UUID) -> Vehicle:
        """Read a vehicle and lock it."""
        return await self._read(_by_id(scope, vehicle_id).with_for_update(), vehicle_id)

    async def list_after(
        self, scope: TenantScope, query: VehicleQuery, after: VehiclePosition | None, limit: int
    ) -> Sequence[Vehicle]:
        """Read vehicles that the query matches in its order."""
        key, vehicle_id = _SORT_COLUMNS[query.order.field], col(VehicleRow.vehicle_id)
        statement = select(VehicleRow).where(_within(scope), *_matching(query)).limit(limit)
        if query.order.descending:
            statement = statement.order_by(key.desc(), vehicle_id.desc())
        else:
            statement = statement.order_by(key, vehicle_id)
        if after is not None:
            here, there = sa.tuple_(key, vehicle_id), (after.key, after.vehicle_id)
            statement = statement.where(here < there if query.order.descending else here > there)
        return [_vehicle(row) for row in await self._session.exec(statement)]

    async def save(self, scope: TenantScope, vehicle: Vehicle) -> None:
        """Store the next version of a vehicle."""
        statement = (
            sa.update(VehicleRow)
            .where(
                _within(scope),
                col(VehicleRow.vehicle_id) == vehicle.vehicle_id,
                col(VehicleRow.version) == vehicle.version - 1,
            )
            .values(_values(vehicle))
            .returning(col(VehicleRow.vehicle_id))
        )
        try:
            saved = (await self._session.exec(statement)).one_or_none()
        except IntegrityError as err:
            meaning = _meaning(err, vehicle)
            if meaning is None:
                raise
            raise meaning from err
        if saved is None:
            raise EditConflict("Somebody changed this vehicle meanwhile.")

    async def count(self, scope: TenantScope) -> int:
        """Count the vehicles."""
        query = select(sa.func.count()).select_from(VehicleRow).where(_within(scope))
        return (await self._session.exec(query)).one()

    async def leave_team(self, scope: TenantScope, team_id: uuid.UUID, now: datetime) -> None:
        """Take every vehicle out of a team."""
        version = col(VehicleRow.version)
        statement = (
            sa.update(VehicleRow)
            .where(_within(scope), col(VehicleRow.team_id) == team_id)
            .values(team_id=None, version=version + 1, update_time=now)
        )
        await self._session.exec(statement)

    async def remove(self, scope: TenantScope, vehicle_id: uuid.UUID) -> None:
        """Erase a vehicle and the request that made it."""
        statement = sa.delete(VehicleRow).where(
            _within(scope), col(VehicleRow.vehicle_id) == vehicle_id
        )
        await self._session.exec(statement)

    async def _read(self, query: SelectOfScalar[VehicleRow], vehicle_id: uuid.UUID) -> Vehicle:
        # Statements change rows: what the session has seen before may be outdated.
        current = query.execution_options(populate_existing=True)
        row = (await self._session.exec(current)).one_or_none()
        if row is None:
            raise VehicleNotFound(vehicle_id)
        return _vehicle(row)


def _within(scope: TenantScope) -> sa.ColumnElement[bool]:
    return within(col(VehicleRow.company_id), scope)


def _by_id(scope: TenantScope, vehicle_id: uuid.UUID) -> SelectOfScalar[VehicleRow]:
    return select(VehicleRow).where(_within(scope), col(VehicleRow.vehicle_id) == vehicle_id)


def _matching(query: VehicleQuery) -> Iterator[sa.ColumnElement[bool]]:
    if query.status is not None:
        yield col(VehicleRow.status) == query.status.value
    if query.type is not None:
        yield col(VehicleRow.type) == query.type.value
    if query.team_id is not None:
        yield col(VehicleRow.team_id) == query.team_id
    for word in query.words:
        yield col(VehicleRow.search_text).contains(word, autoescape=True)
    if query.assigned_to is not None:
        yield col(VehicleRow.vehicle_id).in_(
            sa.select(col(AssignmentRow.vehicle_id)).where(
                col(AssignmentRow.user_id) == query.assigned_to,
                col(AssignmentRow.end_time).is_(None),
            )
        )


def _meaning(err: IntegrityError, vehicle: Vehicle) -> DomainError | None:
    # Here, since only here is it known which plate, company and team it is about.
    team_id = vehicle.team_id
    return translate_database_error(
        err,
        {
            PLATE_KEY: lambda: PlateTaken(vehicle.plate),
            COMPANY_REFERENCE: lambda: CompanyNotFound(vehicle.company_id),
            **({TEAM_REFERENCE: lambda: TeamNotFound(team_id)} if team_id else {}),
        },
    )


def _values(vehicle: Vehicle) -> dict[str, Any]:
    return asdict(vehicle) | {
        "type": vehicle.type.value,
        "status": vehicle.status.value,
        "sort_name": sort_name(vehicle.display_name),
        "search_text": vehicle_search_text(vehicle),
    }


def _vehicle(row: VehicleRow) -> Vehicle:
    return Vehicle(
        vehicle_id=row.vehicle_id,
        company_id=row.company_id,
        plate=row.plate,
        display_name=row.display_name,
        type=VehicleType(row.type),
        status=VehicleStatus(row.status),
        odometer_m=row.odometer_m,
        vin=row.vin,
        team_id=row.team_id,
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
    )
