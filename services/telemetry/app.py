"""The composition root: the only place that constructs the service's adapters."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc.aio
from dashtrack.device.v1 import device_link_service_pb2_grpc as link_grpc
from dashtrack.telemetry.internal.v1.census_service_pb2_grpc import (
    add_CensusServiceServicer_to_server,
)
from dashtrack.telemetry.v1.device_service_pb2_grpc import add_DeviceServiceServicer_to_server
from dashtrack.telemetry.v1.reading_service_pb2_grpc import add_ReadingServiceServicer_to_server

from services.chassis.ids import new_id
from services.chassis.outbox import OutboxRelay
from services.chassis.service import App, Runtime, Worker
from services.chassis.workers import pause
from services.telemetry import metrics
from services.telemetry.clients import GrpcCompanyDirectory, GrpcTokenIssuer
from services.telemetry.codec.links import WireBodyReader
from services.telemetry.consumers import (
    LatestFollower,
    NatsCommitHints,
    NatsCompanyHints,
    NatsDeviceChanges,
    catch_up_worker,
    companies_consumer,
    erasure_worker,
    vehicles_consumer,
)
from services.telemetry.domain.batches import TimeWindow
from services.telemetry.grpc_api import census, devices, links, readings
from services.telemetry.settings import TelemetrySettings
from services.telemetry.storage.batch_store import PostgresBatchStore
from services.telemetry.storage.boots import PostgresBootAnchors
from services.telemetry.storage.census import PostgresCensusReader
from services.telemetry.storage.companies import PostgresCompanies
from services.telemetry.storage.erasing import PostgresEraser
from services.telemetry.storage.facts import PostgresFacts
from services.telemetry.storage.history import PostgresHistory
from services.telemetry.storage.ingest_log import PostgresCommitLog
from services.telemetry.storage.latest import PostgresLatestReader
from services.telemetry.storage.log_folder import PostgresLatestFolder
from services.telemetry.storage.partitions import PostgresPartitions
from services.telemetry.storage.registry import PostgresRegistry
from services.telemetry.storage.sensors import PostgresSensors
from services.telemetry.usecases.assignments import AssignmentUseCases
from services.telemetry.usecases.census import CountDevices
from services.telemetry.usecases.claiming import ClaimUseCases
from services.telemetry.usecases.companies import CompaniesInMemory, FollowCompanies
from services.telemetry.usecases.device_facts import FactsCache
from services.telemetry.usecases.group_commit import FlushLimits, GroupCommit
from services.telemetry.usecases.live import LiveFeeds
from services.telemetry.usecases.reading import ReadingUseCases
from services.telemetry.usecases.registry import DeviceUseCases
from services.telemetry.usecases.renewing import TokenRenewals
from services.telemetry.usecases.uploading import Uploads
from services.telemetry.usecases.vehicles import DetachDevices
from services.telemetry.usecases.watching import WatchUseCases

_PARTITIONS_INTERVAL_S = 3600.0
_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """The other services, and what this service's replicas tell each other."""

    companies: GrpcCompanyDirectory
    tokens: GrpcTokenIssuer
    hints: NatsCommitHints
    changes: NatsDeviceChanges


@dataclass(frozen=True, slots=True)
class _WritePath:
    """What stores batches."""

    uploads: Uploads
    queue: GroupCommit
    partitions: PostgresPartitions


def clock() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


async def build(runtime: Runtime[TelemetrySettings]) -> App:
    """Build the service on its run-time."""
    window = _window(runtime.settings)
    companies = CompaniesInMemory(window)
    facts = FactsCache(PostgresFacts(runtime.database), companies)
    neighbours = await _meet_neighbours(runtime, facts)
    write_path = await _build_write_path(runtime, facts, neighbours.hints, window)
    follow_companies = await _follow_companies(runtime, companies)
    folder = PostgresLatestFolder(runtime.database)
    feeds = LiveFeeds(PostgresCommitLog(runtime.database), neighbours.hints)
    metrics.watch_state(
        runtime.metrics,
        queue_depth=lambda: write_path.queue.depth,
        watchers=lambda: feeds.watcher_count,
        log_lag_s=lambda: folder.lag_s,
    )
    link = _build_link(runtime, write_path.uploads, neighbours)
    device_servicer = _build_devices(runtime, neighbours)
    reading_servicer = _build_readings(runtime, neighbours, feeds)

    def register(server: grpc.aio.Server) -> None:
        link_grpc.add_DeviceLinkServiceServicer_to_server(links.DeviceLinkServicer(link), server)
        link_grpc.add_DeviceLinkHttpServiceServicer_to_server(
            links.DeviceLinkHttpServicer(link), server
        )
        add_DeviceServiceServicer_to_server(device_servicer, server)
        add_ReadingServiceServicer_to_server(reading_servicer, server)
        counting = CountDevices(PostgresCensusReader(runtime.database), clock)
        add_CensusServiceServicer_to_server(census.CensusServicer(counting), server)

    return App(
        service_names=[
            links.SERVICE_NAME,
            links.HTTP_SERVICE_NAME,
            devices.SERVICE_NAME,
            readings.SERVICE_NAME,
            census.SERVICE_NAME,
        ],
        register=register,
        workers=[
            Worker("partitions", lambda end: _keep_partitions(write_path.partitions, end)),
            Worker("latest", LatestFollower(folder, clock).run),
            Worker("commit-hints", neighbours.hints.run),
            OutboxRelay(runtime.database, runtime.messaging).worker,
            *follow_companies,
            vehicles_consumer(
                runtime.messaging, DetachDevices(PostgresRegistry(runtime.database), clock)
            ),
        ],
        drain=[write_path.queue.drain],
        hot_methods=links.HOT_METHODS,
    )


async def _meet_neighbours(runtime: Runtime[TelemetrySettings], facts: FactsCache) -> _Neighbours:
    channels, settings = runtime.channels, runtime.settings
    changes = NatsDeviceChanges(runtime.messaging, facts.forget)
    await changes.listen()
    return _Neighbours(
        GrpcCompanyDirectory(channels.channel(settings.companies_target)),
        GrpcTokenIssuer(channels.channel(settings.auth_target)),
        NatsCommitHints(runtime.messaging),
        changes,
    )


def _window(settings: TelemetrySettings) -> TimeWindow:
    return TimeWindow(
        back_ms=settings.retention_d * 24 * _MS_PER_HOUR,
        ahead_ms=int(settings.ahead_h * _MS_PER_HOUR),
    )


async def _follow_companies(
    runtime: Runtime[TelemetrySettings], memory: CompaniesInMemory
) -> Sequence[Worker]:
    """Return what keeps the projection of companies and the memory of them current."""
    hints, erasure_due = NatsCompanyHints(runtime.messaging), asyncio.Event()
    follow = FollowCompanies(PostgresCompanies(runtime.database), memory, hints, clock)
    await hints.listen(follow)
    return [
        companies_consumer(runtime.messaging, follow, erasure_due),
        catch_up_worker(follow),
        erasure_worker(PostgresEraser(runtime.database), erasure_due, clock),
    ]


async def _build_write_path(
    runtime: Runtime[TelemetrySettings],
    facts: FactsCache,
    hints: NatsCommitHints,
    window: TimeWindow,
) -> _WritePath:
    settings, database = runtime.settings, runtime.database
    partitions = PostgresPartitions(database, window=window, clock=clock)
    await partitions.keep()
    queue = GroupCommit(
        [PostgresBatchStore(database, partitions) for _ in range(settings.writers)],
        FlushLimits(
            interval_s=settings.flush_interval_ms / 1000,
            flush_batches=settings.flush_batches_max,
            queue_batches=settings.queue_batches_max,
        ),
        metrics.FlushTelemetry(runtime.metrics, runtime.tracer, hints.announce),
    )
    uploads = Uploads(
        WireBodyReader(),
        facts,
        PostgresBootAnchors(database),
        PostgresSensors(database),
        partitions,
        queue,
        metrics.UploadMetrics(runtime.metrics),
        suspended_retry_s=settings.suspended_retry_s,
        clock=clock,
    )
    return _WritePath(uploads, queue, partitions)


def _build_link(
    runtime: Runtime[TelemetrySettings], uploads: Uploads, neighbours: _Neighbours
) -> links.DeviceLink:
    settings = runtime.settings
    claims = ClaimUseCases(
        PostgresRegistry(runtime.database),
        neighbours.tokens,
        clock=clock,
        claim_key=settings.claim_key.get_secret_value().encode(),
        suspended_retry_s=settings.suspended_retry_s,
    )
    renewals = TokenRenewals(neighbours.tokens, before_end_s=settings.token_renewal_h * 3600)
    return links.DeviceLink(
        claims, uploads, renewals, clock=clock, next_upload_s=settings.upload_interval_s
    )


def _build_devices(
    runtime: Runtime[TelemetrySettings], neighbours: _Neighbours
) -> devices.DeviceServicer:
    registry = PostgresRegistry(runtime.database)
    return devices.DeviceServicer(
        DeviceUseCases(
            registry,
            neighbours.companies,
            neighbours.tokens,
            neighbours.changes,
            clock=clock,
            new_id=new_id,
            claim_ttl=timedelta(hours=runtime.settings.claim_ttl_h),
        ),
        AssignmentUseCases(registry),
    )


def _build_readings(
    runtime: Runtime[TelemetrySettings], neighbours: _Neighbours, feeds: LiveFeeds
) -> readings.ReadingServicer:
    registry = PostgresRegistry(runtime.database)
    latest = PostgresLatestReader(runtime.database)
    history = PostgresHistory(runtime.database)
    return readings.ReadingServicer(
        ReadingUseCases(registry, history, latest, clock=clock),
        WatchUseCases(
            registry,
            neighbours.companies,
            latest,
            feeds,
            clock=clock,
            stopping=runtime.stopping,
        ),
    )


async def _keep_partitions(partitions: PostgresPartitions, stopping: asyncio.Event) -> None:
    while not await pause(stopping, _PARTITIONS_INTERVAL_S):
        await partitions.keep()
