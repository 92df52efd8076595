"""Traces: what is sampled, where spans go, and how context crosses NATS."""

import contextvars
from collections.abc import Mapping
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NoOpTracer, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.chassis.ids import new_id
from services.chassis.settings import ServiceSettings

# A collector that is away must not hold up a service that stops.
_EXPORT_TIMEOUT_S = 2
_propagator = TraceContextTextMapPropagator()


class Tracing:
    """One service's tracer provider; the queries of what is started from here on belong to it."""

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
                timeout=_EXPORT_TIMEOUT_S,
            )
            self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self.provider.get_tracer("services.chassis")
        _tracer.set(self.tracer)
        _trace_queries()

    def close(self) -> None:
        """Export what is left; blocks for a few seconds at most."""
        self.provider.shutdown()


# Whose spans the queries of a task become: several services may run in one process.
_tracer: contextvars.ContextVar[Tracer] = contextvars.ContextVar("tracer")
_NO_OP = NoOpTracer()


def _trace_queries() -> None:
    # SQLAlchemy's queries pass through the same driver: instrumenting both would record each twice.
    make_instrumentor: Any = AsyncPGInstrumentor
    instrumentor = make_instrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(tracer_provider=_QueryTracerProvider())


class _QueryTracerProvider(trace.TracerProvider):
    def get_tracer(self, *_: Any, **__: Any) -> Tracer:
        return _QueryTracer()


class _QueryTracer(NoOpTracer):
    """Adds queries to traces that are sampled; polls and pings begin none of their own."""

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        sampled = trace.get_current_span().get_span_context().trace_flags.sampled
        tracer = _tracer.get(_NO_OP) if sampled else _NO_OP
        return tracer.start_as_current_span(*args, **kwargs)


def current_trace_id() -> str:
    """Return the trace that what is being done belongs to, in hexadecimal; empty if to none."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


def inject_trace() -> dict[str, str]:
    """Return the current trace context as headers."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier


def extract_trace(headers: Mapping[str, str] | None) -> otel_context.Context:
    """Return the trace context that headers carry, an empty one if they carry none."""
    return _propagator.extract(dict(headers or {}), context=otel_context.Context())
