"""The transactions of the users service: the fake, and PostgreSQL with the real schema."""

from collections.abc import AsyncIterator, Iterator

import pytest
from prometheus_client import CollectorRegistry

from services.chassis.database import Database
from services.chassis.migrations import migrate
from services.users.ports import Transactions
from services.users.settings import UsersSettings
from services.users.storage import MIGRATIONS
from services.users.storage.repository import PostgresTransactions
from tests.fixtures.postgres import FreshDatabase, PostgresServer
from tests.fixtures.running import run_async
from tests.fixtures.users_fakes import FakeTransactions


@pytest.fixture(scope="module")
def migrated(postgres_server: PostgresServer) -> Iterator[FreshDatabase]:
    """A database with the service's schema, shared by the module."""
    database = postgres_server.create_database("users")
    run_async(migrate(database.url, MIGRATIONS))
    yield database
    postgres_server.drop_database(database)


@pytest.fixture
async def database(migrated: FreshDatabase) -> AsyncIterator[Database]:
    """The service's pool."""
    settings = UsersSettings(
        database_url=migrated.url,
        nats_password="unused-here",
        service_secret="unused-here",
        bootstrap_email="root@dashtrack.test",
    )
    database = Database(settings, "users", CollectorRegistry())
    yield database
    await database.close()


@pytest.fixture(params=["fake", "postgres"])
def adapter(request: pytest.FixtureRequest) -> str:
    """The name of the adapter under test."""
    return str(request.param)


@pytest.fixture
def transactions(adapter: str, request: pytest.FixtureRequest) -> Transactions:
    """The adapter under test."""
    if adapter == "fake":
        return FakeTransactions()
    return PostgresTransactions(request.getfixturevalue("database"))
