"""A migrated database and a connection to NATS, as the chassis gives them to a service."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import sqlalchemy as sa
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from services.chassis.database import Database
from services.chassis.messaging import Messaging
from services.chassis.migrations import migrate
from services.chassis.service import App, Runtime, serve
from tests.fixtures.nats import NatsServer
from tests.fixtures.postgres import FreshDatabase
from tests.fixtures.token_authority import TokenAuthority
from tests.integration.chassis.kettle import KettleSettings, kettle_settings, write_migrations
from tests.unit.chassis.echo import SERVICE, EchoService, Said

Start = Callable[..., contextlib.AbstractAsyncContextManager["Kettle"]]


class Kettle:
    """A running service, and what its test looks at."""

    def __init__(self, channel: grpc.aio.Channel, running: Any, service: EchoService) -> None:
        self.channel = channel
        self.running = running
        self.service = service

    async def health(self, name: str = "") -> Any:
        """Ask for the health of a service."""
        stub: Any = health_pb2_grpc.HealthStub(self.channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        return answer.status

    async def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        """Fetch something over HTTP: status, content type and text."""
        url = f"http://127.0.0.1:{self.running.http_port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            return answer.status, answer.headers["content-type"], await answer.text()


@pytest.fixture
def start(kettle: KettleSettings, migrations: Path) -> Start:
    """Start the echo service under the chassis; its methods ask the database."""

    @contextlib.asynccontextmanager
    async def start(
        *, waiting: bool = True, settings: KettleSettings = kettle, **parts: Any
    ) -> AsyncIterator[Kettle]:
        service = EchoService()

        async def build(runtime: Runtime[KettleSettings]) -> App:
            async def ask_database(request: Any, _: Any) -> Any:
                async with runtime.database.transaction() as session:
                    await session.execute(sa.text("SELECT count(*) FROM kettles"))
                return Said(text=request.text)

            service.behaviour = ask_database
            return App(service_names=[SERVICE], register=service.register, **parts)

        async with serve(
            "kettle", settings, build, migrations=migrations, wait_until_serving=waiting
        ) as running:
            address = f"127.0.0.1:{running.grpc_port}"
            async with grpc.aio.insecure_channel(address) as channel:
                yield Kettle(channel, running, service)

    return start


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
