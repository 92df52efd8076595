"""The life of a service: listen, wait for what it needs, build, serve, and stop losing nothing.

Nothing that is away at the start fails it: the service listens at once, says that it does not
serve yet, and goes on as soon as its database and NATS are there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import grpc
from grpc_health.v1 import health_pb2_grpc
from prometheus_client import CollectorRegistry

from services.chassis.application import App, Build, Runtime, S
from services.chassis.audit.trail import AuditTrail
from services.chassis.auth_client import RemoteRevocations
from services.chassis.channels import Channels
from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.chassis.health import Check, HealthMonitor
from services.chassis.http import HttpServer
from services.chassis.jwks import JwksKeySource
from services.chassis.logs import get_logger
from services.chassis.messaging import Messaging
from services.chassis.metrics import RuntimeMetrics
from services.chassis.migrations import migrate
from services.chassis.page_tokens import install_page_token_key
from services.chassis.reflection import add_reflection
from services.chassis.revocations import HINT_SUBJECT, RevocationList
from services.chassis.rpc.auditing import Auditor
from services.chassis.rpc.pipeline import Pipeline
from services.chassis.tokens import TokenVerifier
from services.chassis.tracing import Tracing
from services.chassis.workers import Backoff, Supervisor, Worker

_MESSAGE_SIZE_BYTES_MAX = 4 * 1024 * 1024
_SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", _MESSAGE_SIZE_BYTES_MAX),
    ("grpc.max_send_message_length", 4 * _MESSAGE_SIZE_BYTES_MAX),
    # Above what the gateway lets through: beyond the first, calls would be refused at random.
    ("grpc.max_metadata_size", 48 * 1024),
    ("grpc.absolute_max_metadata_size", 64 * 1024),
    # Connections end now and then, so that load spreads over replicas that came later.
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.max_connection_age_grace_ms", 300_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Gateways ping idle connections more often than gRPC thinks polite.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    # Two processes on one port would each get half of the calls.
    ("grpc.so_reuseport", 0),
)
_WORKERS_GRACE_S = 10.0

T = TypeVar("T")

log = get_logger(__name__)


async def _let_balancers_notice(delay_s: float) -> None:
    await asyncio.sleep(delay_s)


@dataclass(frozen=True, kw_only=True)
class RunningService:
    """A service that listens."""

    grpc_port: int
    http_port: int
    until_serving: Callable[[], Coroutine[None, None, None]]
    """Waits until the service takes calls; raises what keeps it from ever doing so."""
    until_failed: Callable[[], Coroutine[None, None, None]]
    """Waits for ever, or raises what ended the service."""


class Lifecycle(Generic[S]):
    """Starts and stops one service."""

    def __init__(self, name: str, settings: S, build: Build[S], migrations: Path) -> None:
        """Prepare; nothing runs before `start`."""
        self._name = name
        self._settings = settings
        self._build = build
        self._migrations = migrations
        self._registry = CollectorRegistry()
        self._app: App | None = None
        self._opening: asyncio.Task[None] | None = None
        self._key_checks: dict[str, Check] = {}
        # What to undo when stopping, in order; filled as far as the start has come.
        self._undo: list[tuple[str, Callable[[], Awaitable[object]]]] = []

    async def start(self) -> RunningService:
        """Listen, and begin to get ready."""
        settings, registry = self._settings, self._registry
        install_page_token_key(settings.service_secret.get_secret_value())
        runtime_metrics = RuntimeMetrics(registry, asyncio.get_running_loop())
        tracing = Tracing(self._name, settings)
        database = Database(settings, self._name, registry)
        messaging = Messaging(settings, self._name, tracing.tracer)
        channels = Channels(settings, self._name, tracing.provider)
        self._supervisor = Supervisor(registry)
        self._pipeline = Pipeline(registry, tracing.tracer)
        self._trail = AuditTrail(self._name, database, registry)
        self._health = HealthMonitor(registry)
        self._http = HttpServer(registry, lambda: self._health.serving)
        self._runtime = Runtime(
            settings=settings,
            database=database,
            messaging=messaging,
            channels=channels,
            metrics=registry,
            tracer=tracing.tracer,
        )
        server = grpc.aio.server(options=_SERVER_OPTIONS)
        self._undo = [
            ("announce", self._announce_stop),
            ("load balancer", lambda: _let_balancers_notice(settings.shutdown_delay_s)),
            ("calls", lambda: server.stop(settings.shutdown_grace_s)),
            ("checks", self._cancel_opening),
            ("drain", self._drain),
            ("workers", lambda: self._supervisor.stop(_WORKERS_GRACE_S)),
            ("channels", channels.close),
            ("messaging", messaging.close),
            ("traces", lambda: asyncio.to_thread(tracing.close)),
            ("http", self._http.close),
            ("database", database.close),
            ("metrics", runtime_metrics.close),
        ]
        return await self._listen(server)

    async def stop(self) -> None:
        """Stop in an order in which nothing acknowledged is lost."""
        for what, undo in self._undo:
            try:
                await undo()
            except Exception:
                log.exception("stop_failed", step=what)

    async def _listen(self, server: grpc.aio.Server) -> RunningService:
        settings = self._settings
        await self._health.report_not_serving()
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, server)
        add_reflection(server)
        server.add_generic_rpc_handlers([self._pipeline])
        grpc_port = server.add_insecure_port(f"{settings.grpc_host}:{settings.grpc_port}")
        http_port = await self._http.start(settings.http_host, settings.http_port)
        await server.start()
        self._runtime.messaging.start()
        self._opening = asyncio.create_task(self._open(), name="opening")
        return RunningService(
            grpc_port=grpc_port,
            http_port=http_port,
            until_serving=self._until_serving,
            until_failed=self._until_failed,
        )

    async def _open(self) -> None:
        await _persistently(
            "migrations_wait",
            lambda: migrate(self._settings.database_url.get_secret_value(), self._migrations),
        )
        self._app = app = await _persistently("build_waits", lambda: self._build(self._runtime))
        verifier = await self._verifier(app)
        self._trail.install(app.bookkeeping_tables)
        await self._pipeline.install(
            app.register,
            verifier,
            hot_methods=app.hot_methods,
            auditor=Auditor(self._trail, self._settings.proxies_trusted),
        )
        await self._http.serve_routes(app.http_routes)
        for worker in app.workers:
            self._supervisor.start(worker)
        checks = {
            "database": self._runtime.database.ping,
            "nats": self._runtime.messaging.ping,
            **self._key_checks,
            **app.checks,
        }
        await self._health.watch(app.service_names, checks, frozenset({"database"}))

    async def _verifier(self, app: App) -> TokenVerifier:
        keys = app.key_source
        if keys is None:
            keys = jwks = JwksKeySource(self._settings.jwks_url)
            self._key_checks["token keys"] = jwks.check
            self._supervisor.start(Worker("jwks", jwks.run))
        source = app.revocation_source
        if source is None:
            auth = self._runtime.channels.channel(self._settings.auth_target)
            source = RemoteRevocations(auth)
        revocations = RevocationList(source)
        self._supervisor.start(Worker("revocations", revocations.run))
        await self._runtime.messaging.subscribe(HINT_SUBJECT, revocations.on_hint)
        return TokenVerifier(keys, revocations, issuer=self._settings.token_issuer)

    async def _until_serving(self) -> None:
        serving = asyncio.create_task(self._health.until_serving())
        try:
            await self._first_of(serving)
        finally:
            serving.cancel()

    async def _until_failed(self) -> None:
        await self._first_of()

    async def _first_of(self, *others: asyncio.Task[None]) -> None:
        opening = [] if self._opening is None else [self._opening]
        done, _ = await asyncio.wait([*opening, *others], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task

    async def _cancel_opening(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])

    async def _announce_stop(self) -> None:
        self._runtime.stopping.set()
        await self._health.stop()

    async def _drain(self) -> None:
        for drain in self._app.drain if self._app is not None else ():
            try:
                await drain()
            except Exception:
                log.exception("drain_failed")


async def _persistently(event: str, attempt: Callable[[], Awaitable[T]]) -> T:
    """Try again for as long as something that is needed is away."""
    backoff = Backoff()
    while True:
        try:
            return await attempt()
        except Unavailable as err:
            delay_s = backoff.next_s()
            log.warning(event, error=err.message, cause=repr(err.__cause__), again_in_s=delay_s)
            await asyncio.sleep(delay_s)
