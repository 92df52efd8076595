"""The repositories of companies and vehicles, and the transactions that they live in."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from services.chassis.creations import made_by
from services.chassis.database import Database, translate_database_error
from services.chassis.errors import EditConflict
from services.chassis.identity import CreationRequest, TenantScope
from services.companies.domain import (
    Company,
    CompanyNameTaken,
    CompanyNotFound,
    PlateTaken,
    Vehicle,
    VehicleNotFound,
)
from services.companies.storage.tables import (
    COMPANY_NAME_KEY,
    COMPANY_REFERENCE,
    PLATE_KEY,
    CompanyRow,
    VehicleRow,
)


class PostgresCompanyRepository:
    """Companies of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(
        self, scope: TenantScope, company: Company, request: CreationRequest | None = None
    ) -> None:
        """Store a company."""
        if not scope.includes(company.company_id):
            raise CompanyNotFound(company.company_id)
        row = CompanyRow(**asdict(company))
        row.remember(request)
        self._session.add(row)
        await self._session.flush()

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> Company | None:
        """Find the company that an earlier try of a request made."""
        row = await made_by(self._session, CompanyRow, _within(CompanyRow, scope), request)
        return _company(row) if row else None

    async def get(self, scope: TenantScope, company_id: uuid.UUID) -> Company:
        """Read a company."""
        return await self._read(_company_by_id(scope, company_id), company_id)

    async def get_for_change(self, scope: TenantScope, company_id: uuid.UUID) -> Company:
        """Read a company and lock it."""
        return await self._read(_company_by_id(scope, company_id).with_for_update(), company_id)

    async def list_after(
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[Company]:
        """Read companies in the order of their ids."""
        query = select(CompanyRow).where(_within(CompanyRow, scope))
        if after is not None:
            query = query.where(col(CompanyRow.company_id) > after)
        query = query.order_by(col(CompanyRow.company_id)).limit(limit)
        return [_company(row) for row in await self._session.exec(query)]

    async def save(self, scope: TenantScope, company: Company) -> None:
        """Store the next version of a company."""
        statement = (
            sa.update(CompanyRow)
            .where(
                _within(CompanyRow, scope),
                col(CompanyRow.company_id) == company.company_id,
                col(CompanyRow.version) == company.version - 1,
            )
            .values(asdict(company))
            .returning(col(CompanyRow.company_id))
        )
        if (await self._session.exec(statement)).one_or_none() is None:
            raise EditConflict("Somebody changed this company meanwhile.")

    async def count(self, scope: TenantScope) -> int:
        """Count the companies."""
        query = select(sa.func.count()).select_from(CompanyRow).where(_within(CompanyRow, scope))
        return (await self._session.exec(query)).one()

    async def _read(self, query: SelectOfScalar[CompanyRow], company_id: uuid.UUID) -> Company:
        row = (await self._session.exec(query)).one_or_none()
        if row is None:
            raise CompanyNotFound(company_id)
        return _company(row)


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
        row = await made_by(self._session, VehicleRow, _within(VehicleRow, scope), request)
        return _vehicle(row) if row else None

    async def get(self, scope: TenantScope, vehicle_id: uuid.UUID) -> Vehicle:
        """Read a vehicle."""
        query = select(VehicleRow).where(
            _within(VehicleRow, scope), col(VehicleRow.vehicle_id) == vehicle_id
        )
        row = (await self._session.exec(query)).one_or_none()
        if row is None:
            raise VehicleNotFound(vehicle_id)
        return _vehicle(row)

    async def list_after(
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[Vehicle]:
        """Read vehicles in the order of their ids."""
        query = select(VehicleRow).where(_within(VehicleRow, scope))
        if after is not None:
            query = query.where(col(VehicleRow.vehicle_id) > after)
        query = query.order_by(col(VehicleRow.vehicle_id)).limit(limit)
        return [_vehicle(row) for row in await self._session.exec(query)]


@dataclass(frozen=True, slots=True)
class PostgresUnitOfWork:
    """What one database transaction reaches."""

    companies: PostgresCompanyRepository
    vehicles: PostgresVehicleRepository


class PostgresTransactions:
    """Begins database transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresUnitOfWork]:
        """Open a transaction."""
        constraints = {COMPANY_NAME_KEY: CompanyNameTaken}
        async with self._database.transaction(constraints=constraints) as session:
            yield PostgresUnitOfWork(
                PostgresCompanyRepository(session), PostgresVehicleRepository(session)
            )


def _within(row: type[CompanyRow] | type[VehicleRow], scope: TenantScope) -> sa.ColumnElement[bool]:
    return sa.true() if scope.company_id is None else col(row.company_id) == scope.company_id


def _company_by_id(scope: TenantScope, company_id: uuid.UUID) -> SelectOfScalar[CompanyRow]:
    return select(CompanyRow).where(
        _within(CompanyRow, scope), col(CompanyRow.company_id) == company_id
    )


def _company(row: CompanyRow) -> Company:
    return Company(
        company_id=row.company_id,
        display_name=row.display_name,
        time_zone=row.time_zone,
        language_code=row.language_code,
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
    )


def _vehicle(row: VehicleRow) -> Vehicle:
    return Vehicle(
        vehicle_id=row.vehicle_id,
        company_id=row.company_id,
        plate=row.plate,
        display_name=row.display_name,
        create_time=row.create_time,
        update_time=row.update_time,
    )
