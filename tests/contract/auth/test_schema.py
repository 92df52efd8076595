"""The migrations make what the tables say."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from services.auth.storage.tables import AuthModel
from services.chassis.database import Database


async def test_the_tables_are_what_the_migrations_make(database: Database) -> None:
    """A column in one place alone would be found in production."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [
            difference
            for difference in compare_metadata(context, AuthModel.metadata)
            if "alembic_version" not in str(difference)
        ]

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
