"""The transactions of the companies service: the fake, and PostgreSQL with the real schema."""

from collections.abc import AsyncIterator, Iterator

import pytest
from prometheus_client import CollectorRegistry

from services.chassis.database import Database
from services.chassis.identity import TenantScope
from services.chassis.migrations import migrate
from services.companies.ports.store import Transactions
from services.companies.settings import CompaniesSettings
from services.companies.storage import MIGRATIONS
from services.companies.storage.store import PostgresTransactions
from tests.contract.companies.fleets import new_scope
from tests.fixtures.companies_fakes import FakeTransactions
from tests.fixtures.postgres import FreshDatabase, PostgresServer
from tests.fixtures.running import run_async


@pytest.fixture(scope="module")
def migrated(postgres_server: PostgresServer) -> Iterator[FreshDatabase]:
    """A database with the service's schema, shared by the module."""
    database = postgres_server.create_database("companies")
    run_async(migrate(database.url, MIGRATIONS))
    yield database
    postgres_server.drop_database(database)


@pytest.fixture
async def database(migrated: FreshDatabase) -> AsyncIterator[Database]:
    """The service's pool."""
    database = open_database(migrated)
    yield database
    await database.close()


def open_database(fresh: FreshDatabase) -> Database:
    """Open the service's pool on a database."""
    settings = CompaniesSettings(
        database_url=fresh.url, nats_password="unused-here", service_secret="unused-here"
    )
    return Database(settings, "companies", CollectorRegistry())


@pytest.fixture(params=["fake", "postgres"])
def transactions(request: pytest.FixtureRequest) -> Transactions:
    """The adapter under test."""
    if request.param == "fake":
        return FakeTransactions()
    return PostgresTransactions(request.getfixturevalue("database"))


@pytest.fixture
async def scope(transactions: Transactions) -> TenantScope:
    """The scope of a company that is stored."""
    return await new_scope(transactions)
