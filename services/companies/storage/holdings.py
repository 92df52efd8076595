"""Everything that companies have in PostgreSQL, to be erased."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.identity import TenantScope
from services.companies.storage.tables import (
    AssignmentRow,
    MembershipRow,
    PersonRow,
    TeamRow,
    VehicleRow,
)
from services.companies.storage.tables.base import CompaniesModel

HOLDINGS: Sequence[type[CompaniesModel]] = (
    VehicleRow,
    TeamRow,
    MembershipRow,
    AssignmentRow,
    PersonRow,
)
"""The tables with a `company_id` of what a company has, those that refer to others first."""


class PostgresHoldingsRepository:
    """Everything that companies have."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def erase_some(self, scope: TenantScope, limit: int) -> int:
        """Erase some of what one company has.

        Raises:
            ValueError: the scope is that of everybody.
        """
        if scope.company_id is None:
            raise ValueError("Nobody erases the whole platform.")
        for holding in HOLDINGS:
            table: sa.Table = holding.__table__  # type: ignore[attr-defined]
            key = sa.tuple_(*table.primary_key.columns)
            some = (
                sa.select(*table.primary_key.columns)
                .where(table.c.company_id == scope.company_id)
                .limit(limit)
                .with_for_update()
            )
            erased = await self._session.execute(
                sa.delete(table).where(key.in_(some)).returning(sa.literal(1))
            )
            if count := len(erased.all()):
                return count
        return 0
