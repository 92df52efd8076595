"""The migrations make the schema that the tables describe, of what was there before as well."""

import shutil
from pathlib import Path

import asyncpg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from services.chassis.database import Database
from services.chassis.identity import TenantScope
from services.chassis.ids import new_id
from services.chassis.migrations import migrate
from services.companies.domain.companies import CompanyState
from services.companies.storage import MIGRATIONS
from services.companies.storage.holdings import HOLDINGS
from services.companies.storage.store import PostgresTransactions
from services.companies.storage.tables import CompaniesModel, CompanyRow, DeletionStepRow
from tests.contract.companies.conftest import open_database
from tests.fixtures.postgres import PostgresServer

EVERYTHING = TenantScope.everything()
_OLD_COMPANY = (
    "insert into companies (company_id, display_name, time_zone, language_code, version,"
    " create_time, update_time) values ($1, $2, 'UTC', 'en', 3, now(), now())"
)


async def test_migrations_make_what_the_tables_describe(database: Database) -> None:
    """A column, index or constraint that only one of the two knows is found here."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        found: list[object] = compare_metadata(context, CompaniesModel.metadata)
        return found

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


def test_deletions_empty_every_table_of_a_companys_things() -> None:
    """A table with a `company_id` is a holding, or what is left of a deleted company."""
    left = {CompanyRow.__tablename__, DeletionStepRow.__tablename__}
    owned = {
        name for name, table in CompaniesModel.metadata.tables.items() if "company_id" in table.c
    }

    assert {holding.__tablename__ for holding in HOLDINGS} == owned - left


async def test_companies_of_before_are_active_and_behind_the_standard_plan(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Whatever an older version has added, before and after, is taken up by this one."""
    fresh = postgres_server.create_database("companies")
    first = "0001_companies_and_vehicles.py"
    (tmp_path / "versions").mkdir()
    shutil.copy(MIGRATIONS / "versions" / first, tmp_path / "versions" / first)
    await migrate(fresh.url, tmp_path)
    before, after = new_id(), new_id()
    connection = await asyncpg.connect(fresh.dsn)
    try:
        await connection.execute(_OLD_COMPANY, before, "Água & Cia")
        await migrate(fresh.url, MIGRATIONS)
        await connection.execute(_OLD_COMPANY, after, "Later")
        names = await connection.fetchrow(
            "select sort_name, search_text from companies where company_id = $1", before
        )
    finally:
        await connection.close()
    database = open_database(fresh)
    async with PostgresTransactions(database).begin() as work:
        behind = await work.companies.list_behind_for_change(EVERYTHING, 10)
    await database.close()
    postgres_server.drop_database(fresh)

    assert names is not None
    assert tuple(names) == ("agua & cia", "agua & cia")
    assert [company.company_id for company in behind] == [before, after]
    for company in behind:
        assert (company.state, company.plan_id) == (CompanyState.ACTIVE, "standard")
        assert company.version == 3
