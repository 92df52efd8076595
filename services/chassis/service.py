"""The life of a service: build, serve, stop."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
from aiohttp import web
from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry

from services.chassis.channels import Channels
from services.chassis.database import Database
from services.chassis.messaging import Messaging
from services.chassis.settings import ServiceSettings
from services.chassis.tokens import KeySource
from services.chassis.workers import Worker


@dataclass(frozen=True, kw_only=True)
class App:
    """What a service is made of; its `app.build` returns one."""

    service_names: Sequence[str]
    """Full proto names; health reports on each, and on the empty name."""
    register: Callable[[grpc.aio.Server], None]
    """Adds the servicers."""
    workers: Sequence[Worker] = ()
    http_routes: Sequence[web.RouteDef] = ()
    """Served beside /metrics and /healthz."""
    checks: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    """Readiness beyond database and NATS, by name: a check raises while it isn't met."""
    drain: Sequence[Callable[[], Awaitable[None]]] = ()
    """Called in order once no call runs any more, while NATS and database are still there."""
    hot_methods: frozenset[str] = frozenset()
    """Full paths `/pkg.Service/Method` which validate by themselves and have no deadline layer."""
    key_source: KeySource | None = None
    """Where token keys come from instead of settings.jwks_url: auth reads its own database."""


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What the chassis gives a service to build itself from."""

    settings: ServiceSettings
    database: Database
    messaging: Messaging
    channels: Channels
    metrics: CollectorRegistry
    tracer: Tracer


@dataclass(frozen=True, kw_only=True)
class RunningService:
    """A service that is up."""

    grpc_port: int
    http_port: int


def run(
    name: str,
    settings: ServiceSettings,
    build: Callable[[Runtime], Awaitable[App]],
    *,
    migrations: Path,
) -> None:
    """Run a service until SIGTERM or SIGINT; `migrations` is the folder that holds `versions/`."""
    raise NotImplementedError


@asynccontextmanager
async def serve(
    name: str,
    settings: ServiceSettings,
    build: Callable[[Runtime], Awaitable[App]],
    *,
    migrations: Path,
) -> AsyncIterator[RunningService]:
    """Run a service for the length of a block."""
    raise NotImplementedError
    yield
