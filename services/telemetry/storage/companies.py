"""How companies stand, in PostgreSQL, and which of them are erased."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import Database
from services.chassis.locks import lock_work
from services.telemetry.domain.companies import CompanyStanding, CompanyState, Quotas
from services.telemetry.storage.outgoing import announce_erased
from services.telemetry.storage.tables import CompanyRow, ErasureRow

# Every flush, and whatever else stores something of a company by itself, reads the table in the
# statement that stores, and so holds it until its own commit. Whoever has it alone knows that all
# of those have ended which can't have seen the new row.
_ALONE = "LOCK TABLE company_erasure IN ACCESS EXCLUSIVE MODE"
# Uploads wait behind whoever waits for the table: better try again later.
_PATIENCE = "SET LOCAL lock_timeout = '2s'"


class PostgresCompanies:
    """The projection of companies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def apply(self, standing: CompanyStanding, now: datetime) -> bool:
        """Take in how a company stands; False if that was known, or something newer is."""
        # A bar is for good, and deletions are announced again and again until all have erased.
        new_bar = standing.state.gone and not await self._barred(standing.company_id)
        async with self._database.transaction() as session:
            await lock_company(session, standing.company_id)
            if new_bar:
                # Before the table is read: two who want it alone must not hold it both.
                await session.execute(sa.text(_PATIENCE))
                await session.execute(sa.text(_ALONE))
            erasure = await session.get(ErasureRow, standing.company_id)
            if erasure is not None:
                # The end is final, whatever comes late.
                if erasure.erased_at is not None and standing.state is CompanyState.DELETING:
                    await announce_erased(session, standing.company_id, now)
                return False
            if standing.state.gone:
                session.add(ErasureRow(company_id=standing.company_id, requested_at=now))
            return await _upsert(session, standing, now)

    async def _barred(self, company_id: uuid.UUID) -> bool:
        async with self._database.transaction() as session:
            return await is_erased(session, company_id)

    async def find(self, company_id: uuid.UUID) -> CompanyStanding | None:
        """Return how a company stands, if that is known."""
        async with self._database.transaction() as session:
            row = await session.get(CompanyRow, company_id)
            return None if row is None else standing_of(row)

    async def changed_since(self, moment: datetime) -> Sequence[CompanyStanding]:
        """Return how those companies stand that were told of since a moment."""
        async with self._database.transaction() as session:
            rows = await session.exec(select(CompanyRow).where(col(CompanyRow.applied_at) > moment))
            return [standing_of(row) for row in rows]


async def lock_company(session: AsyncSession, company_id: uuid.UUID) -> None:
    """Keep others from adding devices to a company until the transaction ends."""
    await lock_work(session, f"company/{company_id}")


async def is_erased(session: AsyncSession, company_id: uuid.UUID) -> bool:
    """Tell whether a company is being erased, or was; lock it before."""
    query = select(func.count()).where(col(ErasureRow.company_id) == company_id)
    return bool((await session.exec(query)).one())


def standing_of(row: CompanyRow) -> CompanyStanding:
    """Read a row."""
    return CompanyStanding(
        company_id=row.company_id,
        version=row.version,
        state=CompanyState(row.state),
        quotas=Quotas(
            devices_max=row.devices_max,
            sensors_per_device_max=row.sensors_per_device_max,
            retention_d=row.retention_d,
            uploads_per_minute_max=row.uploads_per_minute_max,
        ),
        time_zone=row.time_zone,
    )


async def _upsert(session: AsyncSession, standing: CompanyStanding, now: datetime) -> bool:
    quotas = standing.quotas
    values: dict[str, Any] = {
        "version": standing.version,
        "state": standing.state.value,
        "devices_max": quotas.devices_max,
        "sensors_per_device_max": quotas.sensors_per_device_max,
        "retention_d": quotas.retention_d,
        "uploads_per_minute_max": quotas.uploads_per_minute_max,
        "time_zone": standing.time_zone,
        "applied_at": now,
    }
    statement = insert(CompanyRow).values(company_id=standing.company_id, **values)
    newer = col(CompanyRow.version) < standing.version
    statement = statement.on_conflict_do_update(
        index_elements=["company_id"],
        set_=values,
        # There is no way back from a deletion: it holds whatever its version.
        where=sa.true() if standing.state.gone else newer,
    )
    stored = await session.execute(statement.returning(col(CompanyRow.company_id)))
    return stored.one_or_none() is not None
