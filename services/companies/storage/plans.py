"""Plans in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from services.chassis.creations import made_by
from services.chassis.database import translate_database_error
from services.chassis.errors import EditConflict
from services.chassis.identity import CreationRequest
from services.companies.domain.errors import PlanIdTaken, PlanNotFound
from services.companies.domain.plans import Plan
from services.companies.domain.quotas import Quotas
from services.companies.storage.rows import read_document
from services.companies.storage.tables.plans import PLAN_KEY, PlanRow


class PostgresPlanCatalog:
    """Plans of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, plan: Plan, request: CreationRequest | None = None) -> None:
        """Store a plan."""
        row = PlanRow(**asdict(plan))
        row.remember(request)
        self._session.add(row)
        try:
            await self._session.flush()
        except IntegrityError as err:
            # Here, since only here is it known which plan it is about.
            meaning = translate_database_error(err, {PLAN_KEY: lambda: PlanIdTaken(plan.plan_id)})
            if meaning is None:
                raise
            raise meaning from err

    async def made_by(self, request: CreationRequest) -> Plan | None:
        """Find the plan that an earlier try of a request made."""
        row = await made_by(self._session, PlanRow, sa.true(), request)
        return _plan(row) if row else None

    async def get(self, plan_id: str) -> Plan:
        """Read a plan."""
        return await self._read(_by_id(plan_id), plan_id)

    async def get_for_change(self, plan_id: str) -> Plan:
        """Read a plan and lock it."""
        return await self._read(_by_id(plan_id).with_for_update(), plan_id)

    async def list_after(
        self, after: str | None, limit: int, *, show_retired: bool
    ) -> Sequence[Plan]:
        """Read plans in the order of their ids."""
        query = select(PlanRow)
        if after is not None:
            query = query.where(col(PlanRow.plan_id) > after)
        if not show_retired:
            query = query.where(~col(PlanRow.retired))
        query = query.order_by(col(PlanRow.plan_id)).limit(limit)
        return [_plan(row) for row in await self._session.exec(query)]

    async def save(self, plan: Plan) -> None:
        """Store the next version of a plan."""
        statement = (
            sa.update(PlanRow)
            .where(col(PlanRow.plan_id) == plan.plan_id, col(PlanRow.version) == plan.version - 1)
            .values(asdict(plan))
            .returning(col(PlanRow.plan_id))
        )
        if (await self._session.exec(statement)).one_or_none() is None:
            raise EditConflict("Somebody changed this plan meanwhile.")

    async def _read(self, query: SelectOfScalar[PlanRow], plan_id: str) -> Plan:
        row = (await self._session.exec(query)).one_or_none()
        if row is None:
            raise PlanNotFound(plan_id)
        return _plan(row)


def _by_id(plan_id: str) -> SelectOfScalar[PlanRow]:
    return select(PlanRow).where(col(PlanRow.plan_id) == plan_id)


def _plan(row: PlanRow) -> Plan:
    return Plan(
        plan_id=row.plan_id,
        display_name=row.display_name,
        quotas=read_document(Quotas, row.quotas),
        retired=row.retired,
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
    )
