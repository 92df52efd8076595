"""Background work of a service: restarted when it fails, ended when the service stops."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter

from services.chassis.errors import Unavailable
from services.chassis.logs import get_logger

_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 5.0
_STEADY_AFTER_S = 60.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Worker:
    """A named loop that runs for as long as the service does."""

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]
    """Runs until the event is set; returning or raising before that gets it started again."""


class Backoff:
    """Delays that double up to a limit, with jitter so that replicas don't move in step."""

    def __init__(self, first_s: float = _BACKOFF_FIRST_S, max_s: float = _BACKOFF_MAX_S) -> None:
        """Begin at the first delay."""
        self._first_s = first_s
        self._max_s = max_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the delay to wait now."""
        delay_s = self._next_s
        self._next_s = min(self._max_s, delay_s * 2)
        return delay_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing

    def reset(self) -> None:
        """Begin again at the first delay."""
        self._next_s = self._first_s


async def pause(
    stopping: asyncio.Event, delay_s: float, *, woken: asyncio.Event | None = None
) -> bool:
    """Wait until the delay is over or one of the events is set; tell whether it is time to stop."""
    waits = [asyncio.create_task(event.wait()) for event in (stopping, woken) if event is not None]
    try:
        await asyncio.wait(waits, timeout=delay_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return stopping.is_set()


class Chore:
    """Something that is done now and then, and at once after `wake`."""

    def __init__(
        self, name: str, do: Callable[[asyncio.Event], Awaitable[None]], interval_s: float
    ) -> None:
        """Do this, which may end early when the event says that the service stops."""
        self._do = do
        self._interval_s = interval_s
        self._woken = asyncio.Event()
        self.worker = Worker(name, self.run)

    def wake(self) -> None:
        """Have it done soon."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Do it until stopped."""
        while not stopping.is_set():
            self._woken.clear()
            await self._do(stopping)
            await pause(stopping, self._interval_s, woken=self._woken)


class Supervisor:
    """Keeps workers running."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the series about workers."""
        self._restarts = Counter(
            "worker_restarts_total",
            "Times that a background worker failed and was started again.",
            ["worker"],
            registry=registry,
        )
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, worker: Worker) -> None:
        """Run a worker from now on."""
        self._restarts.labels(worker.name)
        self._tasks.append(asyncio.create_task(self._keep(worker), name=worker.name))

    async def stop(self, grace_s: float) -> None:
        """Ask all workers to end, and cancel those that don't within the grace."""
        self._stopping.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=grace_s)
        for task in late:
            log.warning("worker_cancelled", worker=task.get_name())
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _keep(self, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        while not self._stopping.is_set():
            started_s = loop.time()
            try:
                await worker.run(self._stopping)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                # Something that the worker waited for was cancelled, not the worker.
                log.warning("worker_interrupted", worker=worker.name)
            except Unavailable as err:
                log.warning("worker_waits", worker=worker.name, error=err.message)
            except Exception:
                log.exception("worker_failed", worker=worker.name)
            if self._stopping.is_set():
                return
            self._restarts.labels(worker.name).inc()
            if loop.time() - started_s > _STEADY_AFTER_S:
                backoff.reset()
            await pause(self._stopping, backoff.next_s())
