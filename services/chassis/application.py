"""What a service is made of, and what the chassis gives it to build itself from."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

import grpc
from aiohttp import web
from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry
from typing_extensions import TypeVar

from services.chassis.channels import Channels
from services.chassis.database import Database
from services.chassis.messaging import Messaging
from services.chassis.revocations import RevocationSource
from services.chassis.settings import ServiceSettings
from services.chassis.tokens import KeySource
from services.chassis.workers import Worker

S = TypeVar("S", bound=ServiceSettings, default=ServiceSettings)


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
    """Called in order once no call runs any more, while workers, NATS and database still do."""
    hot_methods: frozenset[str] = frozenset()
    """Full paths `/pkg.Service/Method` that check their requests themselves and go without the
    layers for validation and deadlines."""
    bookkeeping_tables: frozenset[str] = frozenset()
    """Tables that are no part of what a call changes, such as counts of attempts: writing to them
    alone leaves no record in the audit log."""
    key_source: KeySource | None = None
    """Where token keys come from instead of settings.jwks_url: auth reads its own database."""
    revocation_source: RevocationSource | None = None
    """What was revoked, where asking auth over gRPC won't do: auth again."""


@dataclass(frozen=True, kw_only=True)
class Runtime(Generic[S]):
    """What the chassis gives a service to build itself from."""

    settings: S
    database: Database
    messaging: Messaging
    channels: Channels
    metrics: CollectorRegistry
    tracer: Tracer
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set first of all when the service stops: streams without an end of their own end then."""


Build = Callable[[Runtime[S]], Awaitable[App]]
"""Makes the app. The database is migrated by then; raising Unavailable has it called again."""
