"""The outermost layer: series, a server span and the context of log lines, for every call.

The span is made by hand: with `opentelemetry-instrumentation-grpc` an unsampled call costs as much
as a sampled one, and errors and cancelled streams get wrong statuses.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable
from time import perf_counter
from typing import Any

import grpc
from opentelemetry import context as otel_context
from opentelemetry.semconv._incubating.attributes.rpc_attributes import (
    RPC_METHOD,
    RPC_RESPONSE_STATUS_CODE,
    RPC_SYSTEM_NAME,
)
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import (
    INVALID_SPAN_ID,
    INVALID_TRACE_ID,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter
from py_grpc_prometheus.server_metrics import get_grpc_server_handled_counter, init_metrics

from services.chassis.rpc.calls import (
    Call,
    Context,
    StreamHandler,
    UnaryHandler,
    set_current_call,
)
from services.chassis.rpc.methods import MethodSpec

_propagator = TraceContextTextMapPropagator()

# The other statuses are the caller's doing, and a server span doesn't call them errors.
_SERVER_ERRORS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_TRACEPARENT_LENGTH = 55
_UNSAMPLED = TraceFlags(TraceFlags.DEFAULT)


class ServerObserver:
    """Counts, times and traces the calls of a server."""

    def __init__(self, registry: CollectorRegistry, tracer: Tracer) -> None:
        """Register the canonical gRPC series."""
        self._metrics = init_metrics(registry)
        self._handled = get_grpc_server_handled_counter(is_legacy=False, registry=registry)
        self._refusals = Counter(
            "quota_refusals_total",
            "Calls that were refused because a company's quota is used up.",
            ["quota"],
            registry=registry,
        )
        self._tracer = tracer

    def observe_unary(self, spec: MethodSpec, inner: UnaryHandler) -> UnaryHandler:
        """Wrap a method that answers with one message."""
        method = self._method(spec)
        streaming = spec.request_streaming

        async def observed(request: Any, context: Context) -> Any:
            call = method.begin(context)
            started_s = perf_counter()
            try:
                if streaming:
                    request = method.count_received(request)
                response = await inner(request, context)
                call.code = grpc.StatusCode.OK
            except asyncio.CancelledError:
                call.code = _code_of_cancellation(context)
                raise
            finally:
                method.end(call, perf_counter() - started_s)
            return response

        return observed

    def observe_stream(self, spec: MethodSpec, inner: StreamHandler) -> StreamHandler:
        """Wrap a method that answers with many messages."""
        method = self._method(spec)
        streaming = spec.request_streaming

        async def observed(request: Any, context: Context) -> AsyncGenerator[Any, None]:
            call = method.begin(context)
            started_s = perf_counter()
            try:
                if streaming:
                    request = method.count_received(request)
                async with contextlib.aclosing(inner(request, context)) as responses:
                    async for response in responses:
                        method.sent.inc()
                        yield response
                call.code = grpc.StatusCode.OK
            except (asyncio.CancelledError, GeneratorExit):
                call.code = _code_of_cancellation(context)
                raise
            finally:
                method.end(call, perf_counter() - started_s)

        return observed

    def _method(self, spec: MethodSpec) -> "_ObservedMethod":
        return _ObservedMethod(spec, self._tracer, self._metrics, self._handled, self._refusals)


class _ObservedMethod:
    """The series of one method, looked up once."""

    def __init__(
        self,
        spec: MethodSpec,
        tracer: Tracer,
        metrics: dict[str, Any],
        handled: Counter,
        refusals: Counter,
    ) -> None:
        labels = (spec.kind, spec.service, spec.name)
        self._spec = spec
        self._tracer = tracer
        self._handled = {
            code: handled.labels(*labels, code.name)
            for code in (grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN)
        }
        self._handled_counter = handled
        self._refusals = refusals
        self._labels = labels
        self._started = metrics["grpc_server_started_counter"].labels(*labels)
        self._duration = metrics["grpc_server_handled_histogram"].labels(*labels)
        self._received = metrics["grpc_server_stream_msg_received"].labels(*labels)
        self.sent = metrics["grpc_server_stream_msg_sent"].labels(*labels)
        self._attributes = {RPC_SYSTEM_NAME: "grpc", RPC_METHOD: spec.path.removeprefix("/")}

    def begin(self, context: Context) -> Call:
        self._started.inc()
        traceparent = tracestate = authorization = None
        for key, value in context.invocation_metadata() or ():
            if key == "authorization":
                # Two are joined as HTTP does it, and thus no token: whoever looked at one of them
                # before may have looked at the other one.
                text = _text(value)
                authorization = text if authorization is None else f"{authorization}, {text}"
            elif key == "traceparent":
                traceparent = value
            elif key == "tracestate":
                tracestate = value
        span = self._start_span(_text(traceparent), _text(tracestate))
        call = Call(self._spec, span, authorization)
        set_current_call(call)
        # The context belongs to the call's own task and ends with it, so nothing is detached.
        otel_context.attach(set_span_in_context(span))
        return call

    def _start_span(self, traceparent: str | None, tracestate: str | None) -> Span:
        if traceparent is not None and tracestate is None:
            remote = _unsampled_parent(traceparent)
            if remote is not None:
                return NonRecordingSpan(remote)
        carrier = {"traceparent": traceparent or "", "tracestate": tracestate or ""}
        return self._tracer.start_span(
            self._attributes[RPC_METHOD],
            context=_propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes=self._attributes,
        )

    async def count_received(self, requests: AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
        async for request in requests:
            self._received.inc()
            yield request

    def end(self, call: Call, elapsed_s: float) -> None:
        code, span = call.code, call.span
        handled = self._handled.get(code)
        if handled is None:
            handled = self._handled[code] = self._handled_counter.labels(*self._labels, code.name)
        handled.inc()
        if call.quota:
            self._refusals.labels(call.quota).inc()
        if not span.is_recording():
            self._duration.observe(elapsed_s)
            return
        self._duration.observe(elapsed_s, {"trace_id": call.trace_id})
        span.set_attribute(RPC_RESPONSE_STATUS_CODE, code.name)
        if code in _SERVER_ERRORS:
            span.set_attribute(ERROR_TYPE, code.name)
            span.set_status(Status(StatusCode.ERROR))
        span.end()


def _text(value: str | bytes | None) -> str | None:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


def _unsampled_parent(traceparent: str) -> SpanContext | None:
    """Read the common case, a caller that chose not to sample, without the SDK's detours."""
    if len(traceparent) != _TRACEPARENT_LENGTH or traceparent[:3] != "00-":
        return None
    try:
        trace_id = int(traceparent[3:35], 16)
        span_id = int(traceparent[36:52], 16)
        flags = int(traceparent[53:], 16)
    except ValueError:
        return None
    if flags & TraceFlags.SAMPLED or trace_id == INVALID_TRACE_ID or span_id == INVALID_SPAN_ID:
        return None
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=_UNSAMPLED)


def _code_of_cancellation(context: Context) -> grpc.StatusCode:
    # gRPC cancels a call whose deadline has passed just like one that the caller gave up.
    remaining_s = context.time_remaining()
    if remaining_s == 0:
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.CANCELLED
