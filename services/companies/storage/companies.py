"""Companies in PostgreSQL."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from services.chassis.creations import made_by
from services.chassis.errors import EditConflict
from services.chassis.identity import CreationRequest, TenantScope
from services.companies.domain.companies import Company, CompanyState
from services.companies.domain.deletions import DeletionStep
from services.companies.domain.errors import CompanyNotFound
from services.companies.domain.lists import CompanyQuery, ListPosition, OrderField
from services.companies.storage.rows import company_of, company_values
from services.companies.storage.scopes import within
from services.companies.storage.tables.companies import CompanyRow, DeletionStepRow
from services.companies.storage.tables.plans import PlanRow

_SORT_COLUMNS: Mapping[OrderField, Mapped[Any]] = {
    OrderField.CREATE_TIME: col(CompanyRow.create_time),
    OrderField.DISPLAY_NAME: col(CompanyRow.sort_name),
}
_FORGOTTEN = {"request_caller_id": None, "request_id": None, "request_digest": None}


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
        row = CompanyRow(**company_values(company))
        row.remember(request)
        self._session.add(row)
        await self._session.flush()

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> Company | None:
        """Find the company that an earlier try of a request made."""
        row = await made_by(self._session, CompanyRow, _within(scope), request)
        return (await self._companies([row]))[0] if row else None

    async def get(self, scope: TenantScope, company_id: uuid.UUID) -> Company:
        """Read a company."""
        return await self._read(_by_id(scope, company_id), company_id)

    async def get_for_change(self, scope: TenantScope, company_id: uuid.UUID) -> Company:
        """Read a company and lock it."""
        return await self._read(_by_id(scope, company_id).with_for_update(), company_id)

    async def list_after(
        self, scope: TenantScope, query: CompanyQuery, after: ListPosition | None, limit: int
    ) -> Sequence[Company]:
        """Read companies that the query matches in its order."""
        key, company_id = _SORT_COLUMNS[query.order.field], col(CompanyRow.company_id)
        statement = select(CompanyRow).where(_within(scope), *_matching(query)).limit(limit)
        if query.order.descending:
            statement = statement.order_by(key.desc(), company_id.desc())
        else:
            statement = statement.order_by(key, company_id)
        if after is not None:
            here, there = sa.tuple_(key, company_id), (after.key, after.company_id)
            statement = statement.where(here < there if query.order.descending else here > there)
        return await self._companies(await self._session.exec(statement))

    async def list_behind_for_change(self, scope: TenantScope, limit: int) -> Sequence[Company]:
        """Read companies whose plan has changed since and lock them."""
        # Plan by plan, so that an index leads to those that are behind: of many companies that are
        # not, none is looked at.
        rows: list[CompanyRow] = []
        plans = select(PlanRow.plan_id, PlanRow.version).order_by(col(PlanRow.plan_id))
        for plan_id, version in (await self._session.exec(plans)).all():
            if len(rows) < limit:
                behind = _behind(scope, plan_id, version).limit(limit - len(rows))
                rows += await self._session.exec(behind)
        return await self._companies(rows)

    async def list_deleting(
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[Company]:
        """Read companies that are being deleted."""
        company_id = col(CompanyRow.company_id)
        # A literal, which the partial index is recognised by.
        deleting = col(CompanyRow.state) == sa.literal_column("'deleting'")
        statement = select(CompanyRow).where(_within(scope), deleting)
        if after is not None:
            statement = statement.where(company_id > after)
        statement = statement.order_by(company_id).limit(limit)
        return await self._companies(await self._session.exec(statement))

    async def save(self, scope: TenantScope, company: Company) -> None:
        """Store the next version of a company."""
        values = company_values(company)
        if company.state is CompanyState.DELETED:
            values |= _FORGOTTEN
        statement = (
            sa.update(CompanyRow)
            .where(
                _within(scope),
                col(CompanyRow.company_id) == company.company_id,
                col(CompanyRow.version) == company.version - 1,
            )
            .values(values)
            .returning(col(CompanyRow.company_id))
        )
        if (await self._session.exec(statement)).one_or_none() is None:
            raise EditConflict("Somebody changed this company meanwhile.")
        await self.note_reports(scope, company)

    async def note_reports(self, scope: TenantScope, company: Company) -> None:
        """Store the steps of a deletion."""
        if company.deletion is None or not scope.includes(company.company_id):
            return
        steps = [
            {
                "company_id": company.company_id,
                "service": step.service,
                "done_time": step.done_time,
            }
            for step in company.deletion.steps
        ]
        statement = insert(DeletionStepRow).values(steps)
        await self._session.exec(
            statement.on_conflict_do_update(
                index_elements=["company_id", "service"],
                set_={"done_time": statement.excluded.done_time},
            )
        )

    async def count(self, scope: TenantScope) -> int:
        """Count the companies that are not deleted."""
        query = select(sa.func.count()).select_from(CompanyRow)
        query = query.where(_within(scope), col(CompanyRow.state) != CompanyState.DELETED)
        return (await self._session.exec(query)).one()

    async def _read(self, query: SelectOfScalar[CompanyRow], company_id: uuid.UUID) -> Company:
        found = await self._companies(await self._session.exec(query))
        if not found:
            raise CompanyNotFound(company_id)
        return found[0]

    async def _companies(self, rows: Iterable[CompanyRow]) -> Sequence[Company]:
        found = list(rows)
        steps: dict[uuid.UUID, list[DeletionStep]] = {row.company_id: [] for row in found}
        deleted = [row.company_id for row in found if row.deletion_request_time is not None]
        if deleted:
            query = (
                select(DeletionStepRow)
                .where(col(DeletionStepRow.company_id).in_(deleted))
                .order_by(col(DeletionStepRow.service).collate("C"))
            )
            for step in await self._session.exec(query):
                steps[step.company_id].append(DeletionStep(step.service, step.done_time))
        return [company_of(row, steps[row.company_id]) for row in found]


def _within(scope: TenantScope) -> sa.ColumnElement[bool]:
    return within(col(CompanyRow.company_id), scope)


def _by_id(scope: TenantScope, company_id: uuid.UUID) -> SelectOfScalar[CompanyRow]:
    return select(CompanyRow).where(_within(scope), col(CompanyRow.company_id) == company_id)


def _behind(scope: TenantScope, plan_id: str, version: int) -> SelectOfScalar[CompanyRow]:
    return (
        select(CompanyRow)
        .where(
            _within(scope),
            col(CompanyRow.plan_id) == plan_id,
            col(CompanyRow.plan_version) < version,
            col(CompanyRow.state).in_([CompanyState.ACTIVE, CompanyState.SUSPENDED]),
        )
        .order_by(col(CompanyRow.plan_version))
        .with_for_update(skip_locked=True)
    )


def _matching(query: CompanyQuery) -> Iterator[sa.ColumnElement[bool]]:
    if query.state is not None:
        yield col(CompanyRow.state) == query.state.value
    if query.plan_id is not None:
        yield col(CompanyRow.plan_id) == query.plan_id
    if not query.holds_deleted:
        yield col(CompanyRow.state) != CompanyState.DELETED.value
    for word in query.words:
        yield col(CompanyRow.search_text).contains(word, autoescape=True)
