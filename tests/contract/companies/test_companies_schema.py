"""The migrations make the schema that the tables describe."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from services.chassis.database import Database
from services.companies.storage.tables import CompaniesModel


async def test_migrations_make_what_the_tables_describe(database: Database) -> None:
    """A column, index or constraint that only one of the two knows is found here."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        found: list[object] = compare_metadata(context, CompaniesModel.metadata)
        return found

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
