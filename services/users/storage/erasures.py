"""The companies whose people are being erased, or were, and how many people others have."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.locks import lock_work
from services.users.storage.tables import ErasureRow


class PostgresCompanyErasures:
    """Erasures of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def request(self, company_id: uuid.UUID, now: datetime) -> bool:
        """Have a company erased; False if it has been erased."""
        # Whoever adds people holds the lock: they are erased as well, or see that they may not.
        await lock_company(self._session, company_id)
        statement = insert(ErasureRow).values(company_id=company_id, request_time=now)
        await self._session.execute(statement.on_conflict_do_nothing())
        query = select(ErasureRow.erase_time).where(col(ErasureRow.company_id) == company_id)
        return (await self._session.exec(query)).one() is None

    async def take_next(self) -> uuid.UUID | None:
        """Return a company that is to be erased and lock it, those apart that others have."""
        query = (
            select(ErasureRow.company_id)
            .where(col(ErasureRow.erase_time).is_(None))
            .order_by(col(ErasureRow.request_time))
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return (await self._session.exec(query)).one_or_none()

    async def finish(self, company_id: uuid.UUID, now: datetime) -> None:
        """Note that nothing is left of a company."""
        statement = (
            sa.update(ErasureRow)
            .where(col(ErasureRow.company_id) == company_id)
            .values(erase_time=now)
        )
        await self._session.execute(statement)


async def lock_company(session: AsyncSession, company_id: uuid.UUID) -> None:
    """Keep others from adding people to a company until the transaction ends."""
    await lock_work(session, f"company/{company_id}")


async def is_erased(session: AsyncSession, company_id: uuid.UUID) -> bool:
    """Tell whether a company is being erased, or was; lock it before."""
    query = select(func.count()).where(col(ErasureRow.company_id) == company_id)
    return bool((await session.exec(query)).one())
