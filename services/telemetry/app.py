"""The composition root: the only place that constructs the service's adapters."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc.aio
from dashtrack.device.v1 import device_link_service_pb2_grpc as link_grpc
from dashtrack.telemetry.v1.device_service_pb2_grpc import add_DeviceServiceServicer_to_server
from dashtrack.telemetry.v1.reading_service_pb2_grpc import add_ReadingServiceServicer_to_server

from services.chassis.ids import new_id
from services.chassis.service import App, Runtime, Worker
from services.chassis.workers import pause
from services.telemetry import metrics
from services.telemetry.clients import GrpcCompanyDirectory, GrpcTokenIssuer
from services.telemetry.codec.links import WireBodyReader
from services.telemetry.consumers import LatestFollower, NatsCommitHints, NatsDeviceChanges
from services.telemetry.domain.batches import TimeWindow
from services.telemetry.grpc_api import devices, links, readings
from services.telemetry.settings import TelemetrySettings
from services.telemetry.storage.batch_store import PostgresBatchStore
from services.telemetry.storage.boots import PostgresBootAnchors
from services.telemetry.storage.history import PostgresHistory
from services.telemetry.storage.ingest_log import PostgresCommitLog
from services.telemetry.storage.latest import PostgresLatestReader
from services.telemetry.storage.log_folder import PostgresLatestFolder
from services.telemetry.storage.partitions import PostgresPartitions
from services.telemetry.storage.registry import PostgresFacts, PostgresRegistry
from services.telemetry.usecases.claiming import ClaimUseCases
from services.telemetry.usecases.device_facts import FactsCache
from services.telemetry.usecases.group_commit import FlushLimits, GroupCommit
from services.telemetry.usecases.live import LiveFeeds
from services.telemetry.usecases.reading import ReadingUseCases
from services.telemetry.usecases.registry import DeviceUseCases
from services.telemetry.usecases.renewing import TokenRenewals
from services.telemetry.usecases.uploading import Uploads
from services.telemetry.usecases.watching import WatchUseCases

_PARTITIONS_INTERVAL_S = 3600.0
_MS_PER_HOUR = 3_600_000


def clock() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


async def build(runtime: Runtime[TelemetrySettings]) -> App:
    """Build the service on its run-time."""
    settings, database = runtime.settings, runtime.database
    window = TimeWindow(
        back_ms=settings.retention_d * 24 * _MS_PER_HOUR,
        ahead_ms=int(settings.ahead_h * _MS_PER_HOUR),
    )
    partitions = PostgresPartitions(database, window=window, clock=clock)
    await partitions.keep()

    companies = GrpcCompanyDirectory(runtime.channels.channel(settings.companies_target))
    tokens = GrpcTokenIssuer(runtime.channels.channel(settings.auth_target))
    registry = PostgresRegistry(database)
    latest = PostgresLatestReader(database)
    folder = PostgresLatestFolder(database)
    hints = NatsCommitHints(runtime.messaging)
    facts = FactsCache(PostgresFacts(database))
    changes = NatsDeviceChanges(runtime.messaging, facts.forget)
    await changes.listen()
    queue = GroupCommit(
        [PostgresBatchStore(database, partitions) for _ in range(settings.writers)],
        FlushLimits(
            interval_s=settings.flush_interval_ms / 1000,
            flush_batches=settings.flush_batches_max,
            queue_batches=settings.queue_batches_max,
        ),
        metrics.FlushTelemetry(runtime.metrics, runtime.tracer, hints.announce),
    )
    feeds = LiveFeeds(PostgresCommitLog(database), hints)
    metrics.watch_state(
        runtime.metrics,
        queue_depth=lambda: queue.depth,
        watchers=lambda: feeds.watcher_count,
        log_lag_s=lambda: folder.last_round.lag_s(clock()),
    )
    link = links.DeviceLink(
        ClaimUseCases(
            registry, tokens, clock=clock, claim_key=settings.claim_key.get_secret_value().encode()
        ),
        Uploads(
            WireBodyReader(),
            facts,
            PostgresBootAnchors(database),
            partitions,
            queue,
            metrics.UploadMetrics(runtime.metrics),
            window=window,
            clock=clock,
        ),
        TokenRenewals(tokens, before_end_s=settings.token_renewal_h * 3600),
        clock=clock,
        next_upload_s=settings.upload_interval_s,
    )
    device_usecases = DeviceUseCases(
        registry,
        companies,
        tokens,
        changes,
        clock=clock,
        new_id=new_id,
        claim_ttl=timedelta(hours=settings.claim_ttl_h),
    )
    reading_usecases = ReadingUseCases(registry, PostgresHistory(database), latest, clock=clock)
    watch_usecases = WatchUseCases(
        registry, companies, latest, feeds, clock=clock, stopping=runtime.stopping
    )

    def register(server: grpc.aio.Server) -> None:
        link_grpc.add_DeviceLinkServiceServicer_to_server(links.DeviceLinkServicer(link), server)
        link_grpc.add_DeviceLinkHttpServiceServicer_to_server(
            links.DeviceLinkHttpServicer(link), server
        )
        add_DeviceServiceServicer_to_server(devices.DeviceServicer(device_usecases), server)
        add_ReadingServiceServicer_to_server(
            readings.ReadingServicer(reading_usecases, watch_usecases), server
        )

    return App(
        service_names=[
            links.SERVICE_NAME,
            links.HTTP_SERVICE_NAME,
            devices.SERVICE_NAME,
            readings.SERVICE_NAME,
        ],
        register=register,
        workers=[
            Worker("partitions", lambda stopping: _keep_partitions(partitions, stopping)),
            Worker("latest", LatestFollower(folder, clock).run),
            Worker("commit-hints", hints.run),
        ],
        drain=[queue.drain],
        hot_methods=links.HOT_METHODS,
    )


async def _keep_partitions(partitions: PostgresPartitions, stopping: asyncio.Event) -> None:
    while not await pause(stopping, _PARTITIONS_INTERVAL_S):
        await partitions.keep()
