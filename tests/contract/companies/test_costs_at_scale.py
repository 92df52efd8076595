"""What the service does by itself costs what it finds, however much else there is."""

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import Database
from services.companies.storage.companies import PostgresCompanyRepository
from tests.contract.companies.fleets import EVERYTHING

MANY = 5000
_COMPANIES = """
insert into companies (company_id, display_name, time_zone, language_code, plan_version, version,
                       create_time, update_time)
select gen_random_uuid(), gen_random_uuid(), 'UTC', 'en', 1, 1, now(), now()
from generate_series(1, :many)
"""
_ROWS_READ = """
select seq_tup_read + coalesce(idx_tup_fetch, 0)
from pg_stat_xact_user_tables where relname = :table
"""


async def rows_read(session: AsyncSession, table: str) -> int:
    """Return how many rows of a table the transaction has read."""
    return int((await session.execute(sa.text(_ROWS_READ), {"table": table})).scalar_one())


async def test_companies_that_are_not_behind_are_not_looked_at(database: Database) -> None:
    """Every replica asks every few seconds."""
    async with database.transaction() as session:
        await session.execute(sa.text(_COMPANIES), {"many": MANY})
        await session.execute(sa.text("analyze companies"))

    async with database.transaction() as session:
        found = await PostgresCompanyRepository(session).list_behind_for_change(EVERYTHING, 50)
        assert list(found) == []
        assert await rows_read(session, "companies") < MANY / 10
