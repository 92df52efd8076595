"""Migrations at the start of a service."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from services.chassis.errors import Unavailable
from services.chassis.migrations import _LOCK_KEY, _LOCK_NAMESPACE, _alembic, migrate
from tests.integration.chassis.kettle import KettleSettings
from tests.integration.chassis.waiting import until


def url(kettle: KettleSettings) -> str:
    """Return where the database is."""
    return kettle.database_url.get_secret_value()


async def fetch(kettle: KettleSettings, query: str) -> list[str]:
    """Read one column."""
    connection = await asyncpg.connect(url(kettle).replace("+asyncpg", ""))
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_empty_database_gets_the_newest_schema(
    kettle: KettleSettings, migrations: Path
) -> None:
    """A service brings its own schema."""
    await migrate(url(kettle), migrations)
    tables = await fetch(kettle, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert sorted(tables) == ["alembic_version", "inbox", "kettles", "outbox"]
    assert await fetch(kettle, "SELECT version_num FROM alembic_version") == ["0001"]


async def test_migrating_again_changes_nothing(kettle: KettleSettings, migrations: Path) -> None:
    """Every start migrates, and all but the first find nothing to do."""
    await migrate(url(kettle), migrations)
    await migrate(url(kettle), migrations)
    assert await fetch(kettle, "SELECT version_num FROM alembic_version") == ["0001"]


async def test_replicas_that_start_together_migrate_once(
    kettle: KettleSettings, migrations: Path
) -> None:
    """Processes that start at the same moment wait for each other."""
    program = (
        "import asyncio, pathlib, sys; from services.chassis.migrations import migrate; "
        "asyncio.run(migrate(sys.argv[1], pathlib.Path(sys.argv[2])))"
    )
    import sys

    replicas = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, url(kettle), str(migrations)
        )
        for _ in range(3)
    ]
    assert [await replica.wait() for replica in replicas] == [0, 0, 0]
    assert await fetch(kettle, "SELECT version_num FROM alembic_version") == ["0001"]


async def test_migration_does_not_queue_behind_a_lock_for_ever(
    kettle: KettleSettings, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that can't have its lock gives up and comes again later."""
    await migrate(url(kettle), migrations)
    (migrations / "versions" / "0002_handles.py").write_text(
        "from alembic import op\n"
        "revision, down_revision = '0002', '0001'\n"
        "def upgrade() -> None:\n"
        "    op.execute('ALTER TABLE kettles ADD COLUMN handle text')\n"
    )
    monkeypatch.setattr("services.chassis.migrations._LOCK_TIMEOUT", "100ms")
    connection = await asyncpg.connect(url(kettle).replace("+asyncpg", ""))
    async with connection.transaction():
        await connection.execute("LOCK TABLE kettles")
        with pytest.raises(Unavailable):
            await migrate(url(kettle), migrations)
    await connection.close()
    await migrate(url(kettle), migrations)
    assert await fetch(kettle, "SELECT version_num FROM alembic_version") == ["0002"]


async def test_service_that_stops_does_not_wait_for_another_replica(
    kettle: KettleSettings, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Giving up the start ends the wait for whoever migrates at the moment."""
    monkeypatch.setattr("services.chassis.migrations._LOCK_WAIT_S", 3600)
    other = await asyncpg.connect(url(kettle).replace("+asyncpg", ""))
    await other.execute("SELECT pg_advisory_lock($1, $2)", _LOCK_NAMESPACE, _LOCK_KEY)
    start = asyncio.create_task(migrate(url(kettle), migrations))
    await until(_alembic.locked)
    start.cancel()

    await until(lambda: not _alembic.locked())

    await other.close()
    await migrate(url(kettle), migrations)


async def test_broken_migration_leaves_the_schema_as_it_was(
    kettle: KettleSettings, migrations: Path
) -> None:
    """A migration happens as a whole or not at all, and its failure is not taken for an outage."""
    await migrate(url(kettle), migrations)
    (migrations / "versions" / "0002_broken.py").write_text(
        "from alembic import op\n"
        "revision, down_revision = '0002', '0001'\n"
        "def upgrade() -> None:\n"
        "    op.execute('ALTER TABLE kettles ADD COLUMN handle text')\n"
        "    op.execute('ALTER TABLE teapots ADD COLUMN handle text')\n"
    )
    with pytest.raises(Exception, match="teapots"):
        await migrate(url(kettle), migrations)
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'kettles'"
    assert sorted(await fetch(kettle, columns)) == ["litres", "name"]
    assert await fetch(kettle, "SELECT version_num FROM alembic_version") == ["0001"]
