"""Telemetry's series, and the spans that tie uploads to the flush that committed them."""

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import Link, Span, SpanKind, Tracer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.telemetry.ports.ingest import UploadTrace

_DURATION_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_FLUSH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_CONNECTED_S = 300.0
_DEVICES_MAX = 1_000_000
_LINKED_TRACES_MAX = 16


class UploadMetrics:
    """Counts what becomes of uploads."""

    def __init__(
        self, registry: CollectorRegistry, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._seen: OrderedDict[uuid.UUID, float] = OrderedDict()
        Gauge(
            "esp32_devices_connected",
            "Devices that uploaded to this replica within the last five minutes.",
            registry=registry,
        ).set_function(self._connected)
        self._readings = Counter(
            "sensor_readings_total", "Readings stored, each once.", registry=registry
        )
        batches = Counter(
            "telemetry_batches_total",
            "Acknowledged batches: stored now, or stored before.",
            ["outcome"],
            registry=registry,
        )
        self._stored = batches.labels("stored")
        self._repeated = batches.labels("repeated")
        self._refused = Counter(
            "telemetry_uploads_refused_total",
            "Uploads that were refused.",
            ["reason"],
            registry=registry,
        )
        self._durations = Histogram(
            "data_processing_duration_seconds",
            "From an upload's arrival at its handler to its commit.",
            buckets=_DURATION_BUCKETS_S,
            registry=registry,
        )

    def stored(self, device_id: uuid.UUID, reading_count: int) -> None:
        """Count a batch that was stored for the first time."""
        self._readings.inc(reading_count)
        self._stored.inc()
        self._see(device_id)

    def repeated(self, device_id: uuid.UUID) -> None:
        """Count a batch that was stored before."""
        self._repeated.inc()
        self._see(device_id)

    def refused(self, reason: str) -> None:
        """Count an upload that was refused; reasons are those of the contract, hence bounded."""
        self._refused.labels(reason).inc()

    def took(self, duration_s: float) -> None:
        """Note how long an acknowledged upload took."""
        span = trace.get_current_span().get_span_context()
        exemplar = {"trace_id": f"{span.trace_id:032x}"} if span.trace_flags.sampled else None
        self._durations.observe(duration_s, exemplar)

    def _see(self, device_id: uuid.UUID) -> None:
        self._seen[device_id] = self._monotonic()
        self._seen.move_to_end(device_id)
        if len(self._seen) > _DEVICES_MAX:
            self._seen.popitem(last=False)

    def _connected(self) -> float:
        oldest_s = self._monotonic() - _CONNECTED_S
        while self._seen and next(iter(self._seen.values())) < oldest_s:
            self._seen.popitem(last=False)
        return len(self._seen)


class FlushTelemetry:
    """Watches the writer: series, spans, and hints to those who wait for commits."""

    def __init__(
        self,
        registry: CollectorRegistry,
        tracer: Tracer,
        announce: Callable[[Collection[uuid.UUID], int], None],
    ) -> None:
        self._tracer = tracer
        self._announce = announce
        self._sizes = Histogram(
            "telemetry_flush_batches",
            "Batches committed together.",
            buckets=_FLUSH_BUCKETS,
            registry=registry,
        )
        self._durations = Histogram(
            "telemetry_flush_duration_seconds",
            "How long flushes took.",
            buckets=_DURATION_BUCKETS_S,
            registry=registry,
        )

    def upload_trace(self) -> UploadTrace | None:
        """Return the running span if it is sampled."""
        span = trace.get_current_span()
        return span if span.is_recording() else None

    @contextmanager
    def flushing(self, batch_count: int, uploads: Sequence[UploadTrace]) -> Iterator[None]:
        """Accompany a flush; one without a traced upload leaves no span at all."""
        started_s = time.perf_counter()
        if uploads:
            with self._span(batch_count, [cast("Span", upload) for upload in uploads]):
                yield
        else:
            with suppress_instrumentation():
                yield
        self._sizes.observe(batch_count)
        self._durations.observe(time.perf_counter() - started_s)

    def committed(self, companies: Collection[uuid.UUID], position: int) -> None:
        """Hear that a flush was committed."""
        self._announce(companies, position)

    @contextmanager
    def _span(self, batch_count: int, uploads: Sequence[Span]) -> Iterator[None]:
        """Put the flush into the first upload's trace, and refer the others' traces to it."""
        first, *others = uploads[:_LINKED_TRACES_MAX]
        attributes = {"dashtrack.flush.batches": batch_count}
        with self._tracer.start_as_current_span(
            "ingest.flush",
            context=trace.set_span_in_context(first, otel_context.Context()),
            kind=SpanKind.INTERNAL,
            attributes=attributes,
            links=[Link(upload.get_span_context()) for upload in uploads[:_LINKED_TRACES_MAX]],
        ) as flush:
            mirrors = [
                self._tracer.start_span(
                    "ingest.flush",
                    context=trace.set_span_in_context(upload, otel_context.Context()),
                    attributes=attributes,
                    links=[Link(flush.get_span_context())],
                )
                for upload in others
            ]
            try:
                yield
            finally:
                for mirror in mirrors:
                    mirror.end()


def watch_state(
    registry: CollectorRegistry,
    *,
    queue_depth: Callable[[], float],
    watchers: Callable[[], float],
    log_lag_s: Callable[[], float],
) -> None:
    """Register the gauges that read the state of others."""
    Gauge(
        "telemetry_ingest_queue_batches", "Batches that wait for a flush.", registry=registry
    ).set_function(queue_depth)
    Gauge(
        "telemetry_watchers", "Watches that run on this replica.", registry=registry
    ).set_function(watchers)
    Gauge(
        "telemetry_log_lag_seconds",
        "Age of the oldest log entry not yet folded; 0 while another replica folds.",
        registry=registry,
    ).set_function(log_lag_s)
