"""Takes an upload in: checks it, gives it its place in time, has it committed."""

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from services.chassis.errors import DomainError, Unavailable
from services.telemetry.domain.batches import (
    UPTIME_MS_MAX,
    BatchShape,
    NewBatch,
    TimeWindow,
    Verdict,
    span_bound_ms,
)
from services.telemetry.domain.companies import CompanyFacts, UploadBudget
from services.telemetry.domain.errors import (
    BatchConflict,
    BatchTimeOutOfWindow,
    UploadRateExceeded,
    UploadsSuspended,
    UptimeRequired,
)
from services.telemetry.ports.general import Clock
from services.telemetry.ports.ingest import (
    BodyReader,
    BootAnchors,
    Partitions,
    SensorCounter,
    UploadObserver,
)
from services.telemetry.usecases.device_facts import FactsCache, shared
from services.telemetry.usecases.group_commit import GroupCommit

_ANCHORS_KEPT_MAX = 100_000


@dataclass(slots=True)
class Upload:
    """An upload as it arrives: the body and what travels beside it."""

    device_id: uuid.UUID
    body: bytes
    content_encoding: str = ""
    uptime_ms: str = ""


@dataclass(slots=True)
class Receipt:
    """What an acknowledgement says."""

    company_id: uuid.UUID
    boot_id: int
    seq: int
    part: int
    repeated: bool
    at_ms: int


class Uploads:
    """The write path up to the commit."""

    def __init__(  # noqa: PLR0913 - it is where the write path's parts meet
        self,
        bodies: BodyReader,
        facts: FactsCache,
        anchors: BootAnchors,
        sensors: SensorCounter,
        partitions: Partitions,
        queue: GroupCommit,
        observer: UploadObserver,
        *,
        suspended_retry_s: float,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bodies = bodies
        self._facts = facts
        self._anchors = anchors
        self._partitions = partitions
        self._queue = queue
        self._sensors = sensors
        self._suspended_retry_s = suspended_retry_s
        self._clock = clock
        self._monotonic = monotonic
        self._observer = observer
        self._settled: OrderedDict[tuple[uuid.UUID, int], int] = OrderedDict()

    async def accept(self, upload: Upload) -> Receipt:
        """Commit an upload's batch, or find it committed; only then return."""
        started_s = time.perf_counter()
        try:
            receipt = await self._accept(upload)
        except DomainError as err:
            self._observer.refused(err.reason)
            raise
        self._observer.took(time.perf_counter() - started_s)
        return receipt

    async def _accept(self, upload: Upload) -> Receipt:
        device_id = upload.device_id
        facts = await self._facts.require(device_id)
        company = facts.company
        if company.closed:
            raise UploadsSuspended(company.company_id, self._suspended_retry_s)
        if company.budget is not None:
            self._spend(company.budget)
        body = self._bodies.unpack(upload.body, upload.content_encoding)
        shape = self._bodies.inspect(body)
        t0_ms = await self._start(upload, shape, company)
        if not self._partitions.covers(t0_ms):
            await self._partitions.ensure(t0_ms)
        if company.sensors_max and not shape.sensors <= facts.sensors:
            counted = await self._sensors.admit(
                company.company_id, device_id, shape.sensors, company.sensors_max
            )
            facts.sensors = shared(counted)
        batch = NewBatch(
            company.company_id,
            device_id,
            t0_ms,
            shape.boot_id,
            shape.seq,
            shape.part,
            t0_ms + shape.span_ms,
            shape.reading_count,
            blake2b(body, digest_size=16).digest(),
            body,
        )
        if shape.span_ms > facts.span_bound_ms:
            batch.widened_span_ms = span_bound_ms(shape.span_ms)
        verdict = await self._queue.submit(batch)
        # Whatever the verdict, the flush has committed the wider bound.
        facts.span_bound_ms = max(facts.span_bound_ms, batch.widened_span_ms)
        if verdict is Verdict.CONFLICTING:
            raise BatchConflict(shape.boot_id, shape.seq, shape.part)
        if verdict is Verdict.BARRED:
            raise Unavailable("The batch can't be stored now.")
        if verdict is Verdict.STORED:
            self._observer.stored(device_id, shape.reading_count)
        else:
            self._observer.repeated(device_id)
        return Receipt(
            company.company_id,
            shape.boot_id,
            shape.seq,
            shape.part,
            verdict is Verdict.REPEATED,
            _ms(self._clock()),
        )

    def _spend(self, budget: UploadBudget) -> None:
        wait_s = budget.take(self._monotonic())
        if wait_s:
            raise UploadRateExceeded(budget.limit, wait_s)

    async def _start(self, upload: Upload, shape: BatchShape, company: CompanyFacts) -> int:
        """Place a batch in time: by its own clock, or by the anchor of its boot."""
        now_ms = _ms(self._clock())
        if not shape.boot_relative:
            _require_in_window(company.window, shape.start_ms, shape.span_ms, now_ms)
            return shape.start_ms
        anchor_ms = now_ms - _uptime_ms(upload.uptime_ms)
        boot = (upload.device_id, shape.boot_id)
        settled_ms = self._settled.get(boot)
        if settled_ms is None:
            # An anchor is for good: one that puts its first batch out of the window isn't kept.
            start_ms = anchor_ms + shape.start_ms
            _require_in_window(company.window, start_ms, shape.span_ms, now_ms)
            settled_ms = await self._anchors.settle(company.company_id, *boot, anchor_ms)
            self._settled[boot] = settled_ms
            if len(self._settled) > _ANCHORS_KEPT_MAX:
                self._settled.popitem(last=False)
        t0_ms = settled_ms + shape.start_ms
        _require_in_window(company.window, t0_ms, shape.span_ms, now_ms)
        return t0_ms


def _require_in_window(window: TimeWindow, t0_ms: int, span_ms: int, now_ms: int) -> None:
    earliest_ms, latest_ms = window.bounds(now_ms)
    if t0_ms < earliest_ms or t0_ms + span_ms > latest_ms:
        raise BatchTimeOutOfWindow(t0_ms, earliest_ms=earliest_ms, latest_ms=latest_ms)


def _uptime_ms(header: str) -> int:
    if not (header.isascii() and header.isdigit() and len(header) <= 16):
        raise UptimeRequired
    uptime_ms = int(header)
    if uptime_ms > UPTIME_MS_MAX:
        raise UptimeRequired
    return uptime_ms


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
