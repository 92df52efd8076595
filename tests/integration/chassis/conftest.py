"""A migrated database and a connection to NATS, as the chassis gives them to a service."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from services.chassis.database import Database
from services.chassis.messaging import Messaging
from services.chassis.migrations import migrate
from tests.fixtures.nats import NatsServer
from tests.fixtures.postgres import FreshDatabase
from tests.fixtures.token_authority import TokenAuthority
from tests.integration.chassis.kettle import KettleSettings, kettle_settings, write_migrations


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """The kettle's migrations."""
    return write_migrations(tmp_path / "migrations")


@pytest.fixture
def kettle(
    fresh_database: Callable[..., FreshDatabase],
    nats_server: NatsServer,
    token_authority: TokenAuthority,
) -> KettleSettings:
    """Settings with an empty database."""
    return kettle_settings(fresh_database("kettle"), nats_server, token_authority)


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of the test's own."""
    return CollectorRegistry()


@pytest.fixture
async def database(
    kettle: KettleSettings, migrations: Path, registry: CollectorRegistry
) -> AsyncIterator[Database]:
    """The kettle's migrated database."""
    await migrate(kettle.database_url.get_secret_value(), migrations)
    database = Database(kettle, "kettle", registry)
    yield database
    await database.close()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """The spans that the test's tracer made."""
    return InMemorySpanExporter()


@pytest.fixture
async def messaging(
    kettle: KettleSettings, spans: InMemorySpanExporter
) -> AsyncIterator[Messaging]:
    """A connection to NATS that is being made."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    messaging = Messaging(kettle, "kettle", provider.get_tracer("tests"))
    messaging.start()
    yield messaging
    await messaging.close()
    provider.shutdown()
