"""Brings a service's database to the newest schema; replicas may try that at the same time."""

import asyncio
import threading
import zlib
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from services.chassis.database_errors import translate_database_error
from services.chassis.errors import Unavailable
from services.chassis.logs import get_logger

ENVIRONMENT = Path(__file__).parent / "migrations_env"

_LOCK_NAMESPACE = 0x6474  # "dt": keeps our advisory locks apart from anybody else's
_LOCK_KEY = zlib.crc32(b"migrations") - 2**31
_LOCK_WAIT_S = 60.0
_LOCK_POLL_S = 0.25
_LOCK_TIMEOUT = "5s"
_STATEMENT_TIMEOUT = "120s"
_CONNECT_TIMEOUT_S = 3.0

# Alembic keeps the environment that it runs in a process-wide proxy.
_alembic = threading.Lock()

log = get_logger(__name__)


async def migrate(database_url: str, migrations: Path) -> None:
    """Upgrade to the newest revision in `migrations/versions`.

    Raises:
        Unavailable: the database does not answer, or another replica is still migrating.
    """
    given_up = threading.Event()
    try:
        # In a thread of its own, so that the service answers health checks while a table is
        # rewritten.
        await asyncio.to_thread(_migrate_blocking, database_url, migrations, given_up)
    finally:
        # A service that stops must not wait for the thread, which waits for another replica.
        given_up.set()


def alembic_config(migrations: Path) -> Config:
    """Configure Alembic for one service: the shared environment, the service's revisions."""
    config = Config()
    config.set_main_option("script_location", str(ENVIRONMENT))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(migrations / "versions"))
    return config


def _migrate_blocking(database_url: str, migrations: Path, given_up: threading.Event) -> None:
    with _alembic:
        try:
            asyncio.run(_migrate(database_url, migrations, given_up))
        except Exception as err:
            if isinstance(err, Unavailable) or translate_database_error(err) is None:
                raise
            raise Unavailable("The database is away or busy.") from err


async def _migrate(database_url: str, migrations: Path, given_up: threading.Event) -> None:
    engine = create_async_engine(
        database_url,
        poolclass=NullPool,
        connect_args={
            "timeout": _CONNECT_TIMEOUT_S,
            "server_settings": {
                "application_name": "dashtrack-migrations",
                # A migration that waits for a lock makes everybody queue behind it: rather fail
                # and come again.
                "lock_timeout": _LOCK_TIMEOUT,
                "statement_timeout": _STATEMENT_TIMEOUT,
            },
        },
    )
    try:
        async with engine.connect() as connection:
            await _acquire_lock(connection, given_up)
            await connection.run_sync(_upgrade, migrations)
    finally:
        # Closing the connection gives the advisory lock back, whatever happened.
        await engine.dispose()


async def _acquire_lock(connection: AsyncConnection, given_up: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    expires_at_s = loop.time() + _LOCK_WAIT_S
    query = sa.text("SELECT pg_try_advisory_lock(:namespace, :key)")
    while True:
        got = await connection.scalar(query, {"namespace": _LOCK_NAMESPACE, "key": _LOCK_KEY})
        await connection.commit()
        if got:
            return
        if given_up.is_set() or loop.time() >= expires_at_s:
            raise Unavailable("Another replica is still migrating the database.")
        await asyncio.sleep(_LOCK_POLL_S)


def _upgrade(connection: sa.Connection, migrations: Path) -> None:
    config = alembic_config(migrations)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
