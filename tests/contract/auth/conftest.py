"""The store of auth: the fake, and PostgreSQL with the real schema."""

from collections.abc import AsyncIterator, Iterator

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from services.auth.ports import Store
from services.auth.settings import AuthSettings
from services.auth.storage import MIGRATIONS
from services.auth.storage.store import PostgresStore
from services.auth.storage.tables import AuthModel
from services.auth.storage.vault import Vault
from services.chassis.database import Database
from services.chassis.migrations import migrate
from tests.fixtures.auth_fake_store import FakeStore
from tests.fixtures.postgres import FreshDatabase, PostgresServer
from tests.fixtures.running import run_async


@pytest.fixture(scope="module")
def migrated(postgres_server: PostgresServer) -> Iterator[FreshDatabase]:
    """A database with the service's schema, shared by the module."""
    database = postgres_server.create_database("auth")
    run_async(migrate(database.url, MIGRATIONS))
    yield database
    postgres_server.drop_database(database)


@pytest.fixture
async def database(migrated: FreshDatabase) -> AsyncIterator[Database]:
    """The service's pool, on empty tables."""
    settings = AuthSettings(
        database_url=migrated.url,
        nats_password="unused-here",
        service_secret="unused-here",
        service_secrets={},
        encryption_key="0123456789abcdef0123456789abcdef",
        mailbox_dir="unused-here",
    )
    database = Database(settings, "auth", CollectorRegistry())
    tables = ", ".join(AuthModel.metadata.tables)
    async with database.transaction() as session:
        await (await session.connection()).execute(sa.text(f"truncate {tables}"))
    yield database
    await database.close()


@pytest.fixture(params=["fake", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    """The adapter under test."""
    if request.param == "fake":
        return FakeStore()
    return PostgresStore(request.getfixturevalue("database"), Vault("a" * 32))
