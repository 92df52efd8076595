"""Companies in PostgreSQL."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from services.chassis.creations import made_by
from services.chassis.errors import EditConflict
from services.chassis.identity import CreationRequest, TenantScope
from services.companies.domain.companies import Company
from services.companies.domain.errors import CompanyNotFound
from services.companies.storage.scopes import within
from services.companies.storage.tables.companies import CompanyRow


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
        row = await made_by(
            self._session, CompanyRow, within(col(CompanyRow.company_id), scope), request
        )
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
        query = select(CompanyRow).where(within(col(CompanyRow.company_id), scope))
        if after is not None:
            query = query.where(col(CompanyRow.company_id) > after)
        query = query.order_by(col(CompanyRow.company_id)).limit(limit)
        return [_company(row) for row in await self._session.exec(query)]

    async def save(self, scope: TenantScope, company: Company) -> None:
        """Store the next version of a company."""
        statement = (
            sa.update(CompanyRow)
            .where(
                within(col(CompanyRow.company_id), scope),
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
        query = (
            select(sa.func.count())
            .select_from(CompanyRow)
            .where(within(col(CompanyRow.company_id), scope))
        )
        return (await self._session.exec(query)).one()

    async def _read(self, query: SelectOfScalar[CompanyRow], company_id: uuid.UUID) -> Company:
        row = (await self._session.exec(query)).one_or_none()
        if row is None:
            raise CompanyNotFound(company_id)
        return _company(row)


def _company_by_id(scope: TenantScope, company_id: uuid.UUID) -> SelectOfScalar[CompanyRow]:
    return select(CompanyRow).where(
        within(col(CompanyRow.company_id), scope), col(CompanyRow.company_id) == company_id
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
