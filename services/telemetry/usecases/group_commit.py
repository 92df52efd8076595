"""Commits uploads in groups: one transaction serves all that arrived within a few milliseconds.

Each upload has a future of its own and stays in the queue whatever becomes of its caller: a board
that hangs up must not undo what another board is waiting for, nor its own batch.
"""

import asyncio
import contextvars
import logging
import random
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.errors import DomainError, Unavailable
from services.telemetry.domain.batches import BatchKey, NewBatch, Verdict
from services.telemetry.domain.errors import BatchMalformed, IngestOverloaded
from services.telemetry.ports.ingest import (
    BatchStore,
    FlushCollision,
    FlushObserver,
    StatementRefused,
    UploadTrace,
)

_LOG = logging.getLogger(__name__)
_COLLISION_ATTEMPTS = 6
_COLLISION_PAUSE_S = 0.01

Outcome = Verdict | Exception


@dataclass(frozen=True, slots=True)
class FlushLimits:
    """How much waits, and for how long."""

    interval_s: float = 0.005
    """How long the first batch of a flush waits for others."""
    flush_batches: int = 256
    flush_bytes: int = 4 * 1024 * 1024
    queue_batches: int = 4096
    """Per lane; more are refused."""
    queue_bytes: int = 32 * 1024 * 1024
    retry_after_s: float = 1.0


@dataclass(slots=True)
class _Waiting:
    batch: NewBatch
    verdict: asyncio.Future[Verdict]
    trace: UploadTrace | None

    def settle(self, outcome: Outcome) -> None:
        # A caller that hung up has cancelled its future.
        if self.verdict.done():
            return
        if isinstance(outcome, Verdict):
            self.verdict.set_result(outcome)
        else:
            self.verdict.set_exception(outcome)


class GroupCommit:
    """The bounded queue before the store; a device's batches always go through the same lane."""

    def __init__(
        self, stores: Sequence[BatchStore], limits: FlushLimits, observer: FlushObserver
    ) -> None:
        self._lanes = [_Lane(store, limits, observer) for store in stores]
        self._observer = observer

    @property
    def depth(self) -> int:
        """The number of batches that wait."""
        return sum(lane.depth for lane in self._lanes)

    def submit(self, batch: NewBatch) -> asyncio.Future[Verdict]:
        """Queue a batch; the future is done when it is committed or refused.

        Raises:
            IngestOverloaded: the queue is full.
            Unavailable: the service stops.
        """
        lane = self._lanes[batch.device_id.int % len(self._lanes)]
        waiting = _Waiting(
            batch, asyncio.get_running_loop().create_future(), self._observer.upload_trace()
        )
        lane.add(waiting)
        return waiting.verdict

    async def drain(self) -> None:
        """Commit what is queued, then refuse everything else and close the stores."""
        await asyncio.gather(*(lane.drain() for lane in self._lanes))


class _Lane:
    """One writer: a queue, a task and a connection."""

    def __init__(self, store: BatchStore, limits: FlushLimits, observer: FlushObserver) -> None:
        self._store = store
        self._limits = limits
        self._observer = observer
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        # The lane serves everybody: it runs as who built the service, not as the first uploader.
        self._context = contextvars.copy_context()

    @property
    def depth(self) -> int:
        return len(self._queue)

    def add(self, waiting: _Waiting) -> None:
        limits = self._limits
        if self._closing:
            raise Unavailable("The service is stopping.")
        if len(self._queue) >= limits.queue_batches or self._queued_bytes >= limits.queue_bytes:
            raise IngestOverloaded(limits.retry_after_s)
        self._queue.append(waiting)
        self._queued_bytes += len(waiting.batch.payload)
        if len(self._queue) >= limits.flush_batches:
            self._full.set()
        self._arrived.set()
        if self._task is None:
            self._task = asyncio.create_task(
                self._run(),
                name="group-commit",
                context=self._context,
            )

    async def drain(self) -> None:
        self._closing = True
        self._arrived.set()
        self._full.set()
        if self._task is not None:
            await self._task
        await self._store.close()

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if not self._closing:
                await self._gather()
            while self._queue:
                await self._flush(self._take())
                if len(self._queue) < self._limits.flush_batches and not self._closing:
                    break
            if not self._queue:
                if self._closing:
                    return
                self._arrived.clear()

    async def _gather(self) -> None:
        self._full.clear()
        if len(self._queue) >= self._limits.flush_batches:
            return
        try:
            async with asyncio.timeout(self._limits.interval_s):
                await self._full.wait()
        except TimeoutError:
            pass

    def _take(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        size_bytes = 0
        while self._queue and len(taken) < self._limits.flush_batches:
            if taken and size_bytes >= self._limits.flush_bytes:
                break
            waiting = self._queue.popleft()
            size_bytes += len(waiting.batch.payload)
            taken.append(waiting)
        self._queued_bytes -= size_bytes
        return taken

    async def _flush(self, group: Sequence[_Waiting]) -> None:
        by_key: dict[BatchKey, list[_Waiting]] = {}
        for waiting in group:
            by_key.setdefault(waiting.batch.key, []).append(waiting)
        # Every writer takes its locks in the order of the key, so that two never wait for each
        # other.
        same = [by_key[key] for key in sorted(by_key)]
        batches = [rivals[0].batch for rivals in same]
        traces = [waiting.trace for waiting in group if waiting.trace is not None]
        try:
            with self._observer.flushing(len(batches), traces):
                outcomes = await self._store_all(batches)
        except Exception as err:  # noqa: BLE001 - whoever waits is told
            # A defect must not leave anybody waiting, nor end the lane.
            _LOG.exception("a flush failed")
            outcomes = [err] * len(batches)
        for rivals, outcome in zip(same, outcomes, strict=True):
            self._settle(rivals, outcome)

    def _settle(self, rivals: Sequence[_Waiting], outcome: Outcome) -> None:
        first = rivals[0]
        first.settle(outcome)
        for waiting in rivals[1:]:
            if waiting.batch.digest != first.batch.digest:
                # Another payload under the same key: the next flush compares it with the store.
                self._queue.append(waiting)
                self._queued_bytes += len(waiting.batch.payload)
            elif outcome is Verdict.STORED:
                waiting.settle(Verdict.REPEATED)
            else:
                waiting.settle(outcome)

    async def _store_all(self, batches: Sequence[NewBatch]) -> list[Outcome]:
        for _ in range(_COLLISION_ATTEMPTS):
            try:
                stored = await self._store.store(batches)
            except FlushCollision:
                await asyncio.sleep(random.uniform(0, _COLLISION_PAUSE_S))  # noqa: S311 - jitter
            except StatementRefused:
                return await self._bisect(batches)
            except DomainError as err:
                return [err] * len(batches)
            else:
                self._announce(batches, stored.verdicts, stored.position)
                return list(stored.verdicts)
        return [Unavailable("The batch keeps colliding with others.")] * len(batches)

    async def _bisect(self, batches: Sequence[NewBatch]) -> list[Outcome]:
        if len(batches) == 1:
            return [BatchMalformed("it can't be stored")]
        middle = len(batches) // 2
        left = await self._store_all(batches[:middle])
        return left + await self._store_all(batches[middle:])

    def _announce(
        self, batches: Sequence[NewBatch], verdicts: Sequence[Verdict], position: int
    ) -> None:
        companies: set[uuid.UUID] = {
            batch.company_id
            for batch, verdict in zip(batches, verdicts, strict=True)
            if verdict is Verdict.STORED
        }
        if companies:
            self._observer.committed(companies, position)
