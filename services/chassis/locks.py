"""Advisory locks: what one transaction at a time does, over all replicas of a service."""

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession


async def lock_work(session: AsyncSession, work: str) -> None:
    """Wait until no other transaction does the work, and keep it until this one ends."""
    await session.execute(sa.select(sa.func.pg_advisory_xact_lock(_key(work))))


async def try_lock_work(session: AsyncSession, work: str) -> bool:
    """Keep the work until this transaction ends, unless another one does it."""
    return bool(await session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_key(work)))))


def _key(work: str) -> sa.Function[int]:
    return sa.func.hashtextextended(work, 0)
