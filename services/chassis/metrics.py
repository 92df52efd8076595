"""The series that every service has: its database, its process and the Python run-time."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_GC_BUCKETS_S = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)
_QUERY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAG_SAMPLE_INTERVAL_S = 0.25
_LAG_WINDOW_SAMPLES = 60

_OPERATIONS = frozenset(
    {"select", "insert", "update", "delete", "copy", "with", "begin", "commit", "rollback"}
)


class DatabaseMetrics:
    """Series about the queries of one service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the series."""
        self.connections_active = Gauge(
            "db_connections_active",
            "Database connections in use.",
            registry=registry,
        )
        self._durations = Histogram(
            "db_query_duration_seconds",
            "How long database queries took.",
            ["operation"],
            buckets=_QUERY_BUCKETS_S,
            registry=registry,
        )
        self._queries = Counter(
            "db_queries_total",
            "Database queries, failed ones included.",
            ["operation"],
            registry=registry,
        )
        self._children = {
            operation: (self._durations.labels(operation), self._queries.labels(operation))
            for operation in sorted(_OPERATIONS | {"other"})
        }

    def observe(self, statement: str, elapsed_s: float) -> None:
        """Count a query under the operation that its statement begins with."""
        operation = statement.lstrip()[:10].partition(" ")[0].rstrip(";").lower()
        durations, queries = self._children[operation if operation in _OPERATIONS else "other"]
        durations.observe(elapsed_s)
        queries.inc()


class RuntimeMetrics:
    """Series about the process and the run-time; `close` undoes the hook into the collector."""

    def __init__(self, registry: CollectorRegistry, loop: asyncio.AbstractEventLoop) -> None:
        """Register the series and begin to watch."""
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        Gauge("python_threads", "Threads that run.", registry=registry).set_function(
            threading.active_count
        )
        Gauge(
            "python_asyncio_tasks", "Tasks of the event loop that are not done.", registry=registry
        ).set_function(_counting_tasks(loop))
        self._pauses = Histogram(
            "python_gc_pause_seconds",
            "How long the garbage collector held everything up.",
            buckets=_GC_BUCKETS_S,
            registry=registry,
        )
        self._lag = LoopLag()
        Gauge(
            "python_event_loop_lag_seconds",
            "The longest that the event loop was late in the last 15 seconds.",
            registry=registry,
        ).set_function(self._lag.peak_s)
        self._gc_started_s = 0.0
        gc.callbacks.append(self._on_gc)
        self._lag_task = loop.create_task(self._lag.watch(), name="event-loop-lag")

    async def close(self) -> None:
        """Stop watching."""
        gc.callbacks.remove(self._on_gc)
        self._lag_task.cancel()
        await asyncio.wait([self._lag_task])

    def _on_gc(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._gc_started_s = time.perf_counter()
        else:
            self._pauses.observe(time.perf_counter() - self._gc_started_s)


class LoopLag:
    """Watches how late the event loop gets to what is due."""

    def __init__(self) -> None:
        """Begin with no lag."""
        self._samples_s = [0.0]

    def peak_s(self) -> float:
        """Return the longest recent delay."""
        return max(self._samples_s)

    async def watch(self) -> None:
        """Sample for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + _LAG_SAMPLE_INTERVAL_S
            await asyncio.sleep(_LAG_SAMPLE_INTERVAL_S)
            self._samples_s.append(max(0.0, loop.time() - due_s))
            del self._samples_s[:-_LAG_WINDOW_SAMPLES]


def _counting_tasks(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    return lambda: len(asyncio.all_tasks(loop))
