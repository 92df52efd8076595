"""Traces: what is sampled, where spans go, and how context crosses NATS."""

from collections.abc import Mapping
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.chassis.ids import new_id
from services.chassis.settings import ServiceSettings

_FLUSH_TIMEOUT_MS = 3_000
_propagator = TraceContextTextMapPropagator()


class Tracing:
    """One service's tracer provider, and the instrumentation of its database driver."""

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        """Begin to trace; spans are exported only where the settings name an endpoint."""
        resource = Resource.create({SERVICE_NAME: name, SERVICE_INSTANCE_ID: str(new_id())})
        self.provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.trace_sample_ratio)),
            resource=resource,
            shutdown_on_exit=False,
        )
        if settings.otlp_endpoint:
            exporter = OTLPSpanExporter(
                endpoint=settings.otlp_endpoint,
                insecure=not settings.otlp_endpoint.startswith("https://"),
            )
            self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self.provider.get_tracer("services.chassis")
        # The pool's queries pass through the same driver: instrumenting SQLAlchemy too would
        # record each of them twice.
        make_instrumentor: Any = AsyncPGInstrumentor
        self._asyncpg = make_instrumentor()
        self._instruments = not self._asyncpg.is_instrumented_by_opentelemetry
        if self._instruments:
            self._asyncpg.instrument(tracer_provider=self.provider)

    def close(self) -> None:
        """Export what is left; blocks for a few seconds at most."""
        if self._instruments:
            self._asyncpg.uninstrument()
        self.provider.force_flush(_FLUSH_TIMEOUT_MS)
        self.provider.shutdown()


def inject_trace() -> dict[str, str]:
    """Return the current trace context as headers."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier


def extract_trace(headers: Mapping[str, str] | None) -> otel_context.Context:
    """Return the trace context that headers carry, an empty one if they carry none."""
    return _propagator.extract(dict(headers or {}), context=otel_context.Context())
