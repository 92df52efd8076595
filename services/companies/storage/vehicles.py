"""Vehicles in PostgreSQL."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.creations import made_by
from services.chassis.database import translate_database_error
from services.chassis.identity import CreationRequest, TenantScope
from services.companies.domain.errors import CompanyNotFound, PlateTaken, VehicleNotFound
from services.companies.domain.vehicles import Vehicle
from services.companies.storage.scopes import within
from services.companies.storage.tables.vehicles import COMPANY_REFERENCE, PLATE_KEY, VehicleRow


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
        row = VehicleRow(**asdict(vehicle))
        row.remember(request)
        self._session.add(row)
        try:
            await self._session.flush()
        except IntegrityError as err:
            # Here, since only here is it known which plate and which company it is about.
            meaning = translate_database_error(
                err,
                {
                    PLATE_KEY: lambda: PlateTaken(vehicle.plate),
                    COMPANY_REFERENCE: lambda: CompanyNotFound(vehicle.company_id),
                },
            )
            if meaning is None:
                raise
            raise meaning from err

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> Vehicle | None:
        """Find the vehicle that an earlier try of a request made."""
        row = await made_by(
            self._session, VehicleRow, within(col(VehicleRow.company_id), scope), request
        )
        return _vehicle(row) if row else None

    async def get(self, scope: TenantScope, vehicle_id: uuid.UUID) -> Vehicle:
        """Read a vehicle."""
        query = select(VehicleRow).where(
            within(col(VehicleRow.company_id), scope), col(VehicleRow.vehicle_id) == vehicle_id
        )
        row = (await self._session.exec(query)).one_or_none()
        if row is None:
            raise VehicleNotFound(vehicle_id)
        return _vehicle(row)

    async def list_after(
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[Vehicle]:
        """Read vehicles in the order of their ids."""
        query = select(VehicleRow).where(within(col(VehicleRow.company_id), scope))
        if after is not None:
            query = query.where(col(VehicleRow.vehicle_id) > after)
        query = query.order_by(col(VehicleRow.vehicle_id)).limit(limit)
        return [_vehicle(row) for row in await self._session.exec(query)]

    async def count(self, scope: TenantScope) -> int:
        """Count the vehicles."""
        company_id = col(VehicleRow.company_id)
        query = select(sa.func.count()).select_from(VehicleRow).where(within(company_id, scope))
        return (await self._session.exec(query)).one()


def _vehicle(row: VehicleRow) -> Vehicle:
    return Vehicle(
        vehicle_id=row.vehicle_id,
        company_id=row.company_id,
        plate=row.plate,
        display_name=row.display_name,
        create_time=row.create_time,
        update_time=row.update_time,
    )
