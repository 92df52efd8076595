"""The migrations make the schema that the tables describe."""

import shutil
from pathlib import Path

import asyncpg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from services.chassis.database import Database
from services.chassis.ids import new_id
from services.chassis.migrations import migrate
from services.users.storage import MIGRATIONS
from services.users.storage.tables import UsersModel
from tests.fixtures.postgres import PostgresServer


async def test_migrations_make_what_the_tables_describe(database: Database) -> None:
    """A column, index or constraint that only one of the two knows is found here."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        found: list[object] = compare_metadata(context, UsersModel.metadata)
        return found

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_people_of_before_are_found_and_ordered(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Whoever was there before people could be searched is searched and ordered like others."""
    database = postgres_server.create_database("users")
    first = "0001_people.py"
    (tmp_path / "versions").mkdir()
    shutil.copy(MIGRATIONS / "versions" / first, tmp_path / "versions" / first)
    await migrate(database.url, tmp_path)
    connection = await asyncpg.connect(database.dsn)
    try:
        await connection.execute(
            "insert into users (user_id, email, display_name, role, status, version, create_time,"
            " update_time) values ($1, 'ze@example.com', 'Zé', 'master', '', 1, now(), now())",
            new_id(),
        )

        await migrate(database.url, MIGRATIONS)

        found = await connection.fetchrow(
            "select sort_name, search_text, language_code, phone_number, delete_time from users"
        )
    finally:
        await connection.close()
    postgres_server.drop_database(database)
    assert found is not None
    assert tuple(found) == ("ze", "ze ze@example.com", "en", "", None)
