"""What the gateway tells about requests: a log line, two metrics, a span."""

from typing import Any

from google.rpc import code_pb2

from gateway.clusters import OTLP
from gateway.extensions import Config, typed

_STREAM_LOG = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
_STATS_LOG = "envoy.extensions.access_loggers.stats.v3.Config"
_OTEL = "envoy.config.trace.v3.OpenTelemetryConfig"
_CEL_SAMPLER = "envoy.extensions.tracers.opentelemetry.samplers.v3.CELSamplerConfig"

DURATION_STAT = "http.request_duration_seconds"
# Powers of two, because Envoy keeps a bound as the double nearest to it, and prints all of it.
DURATION_BUCKETS_S = [2.0**exponent for exponent in range(-10, 6)]

_SERIES_MAX = 5000

# The transcoder makes a POST of every REST call; what the client said stays beside it.
_METHOD = "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%"
# A label has few values: HTTP/2 lets clients make up methods.
_METHOD_LABEL = (
    "%CEL('x-envoy-original-method' in request.headers"
    " ? request.headers['x-envoy-original-method']"
    " : request.method in ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']"
    " ? request.method : 'OTHER')%"
)
# Native gRPC fails with 200; it counts as what the same failure is over REST, so that a share of
# errors is one of all calls.
_STATUS_BY_GRPC_CODE = {
    code_pb2.CANCELLED: 499,
    code_pb2.UNKNOWN: 500,
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.DEADLINE_EXCEEDED: 504,
    code_pb2.NOT_FOUND: 404,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.FAILED_PRECONDITION: 400,
    code_pb2.ABORTED: 409,
    code_pb2.OUT_OF_RANGE: 400,
    code_pb2.UNIMPLEMENTED: 501,
    code_pb2.INTERNAL: 500,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DATA_LOSS: 500,
    code_pb2.UNAUTHENTICATED: 401,
}
_STATUSES = ", ".join(f"{code}: {status}" for code, status in _STATUS_BY_GRPC_CODE.items())
_STATUS_LABEL = (
    "%CEL(response.code == 200 && 'content-type' in request.headers"
    " && request.headers['content-type'].startsWith('application/grpc')"
    f" && response.grpc_status in {{{_STATUSES}}}"
    f" ? {{{_STATUSES}}}[response.grpc_status] : response.code)%"
)
_LABELS = (("method", _METHOD_LABEL), ("route", "%ROUTE_NAME%"), ("status", _STATUS_LABEL))
# Envoy has no unit of seconds; Percent is the one that keeps fractions. CEL knows durations to the
# millisecond and rounds down, so half of one makes the sum right on average.
_DURATION = (
    "%CEL(double(request.duration.getSeconds())"
    " + double(request.duration.getMilliseconds()) / 1000.0 + 0.0005)%"
)


def access_logs() -> list[Config]:
    """Return the log of requests and the counting of requests; probes are in neither."""
    no_probes: Config = {"not_health_check_filter": {}}
    line = typed(_STREAM_LOG, log_format={"json_format": _line()})
    stats = typed(
        _STATS_LOG,
        stats_scope={"prefix": "http", "max_counters": _SERIES_MAX, "max_histograms": _SERIES_MAX},
        counters=[{"stat": _stat("requests_total"), "value_fixed": 1}],
        histograms=[
            {
                "stat": _stat("request_duration_seconds"),
                "unit": "Percent",
                "value_format": _DURATION,
            }
        ],
    )
    return [
        {"name": "envoy.access_loggers.stdout", "filter": no_probes} | line,
        {"name": "envoy.access_loggers.stats", "filter": no_probes} | stats,
    ]


def _stat(name: str) -> Config:
    return {
        "name": name,
        "tags": [{"name": label, "value_format": value} for label, value in _LABELS],
    }


def _line() -> Config:
    return {
        "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%",
        "level": "info",
        "service": "gateway",
        "event": "request",
        "method": _METHOD,
        # Without the query: people put secrets there.
        "path": "%PATH(NQ:ORIG_OR_PATH)%",
        "protocol": "%PROTOCOL%",
        "route": "%ROUTE_NAME%",
        "status": "%RESPONSE_CODE%",
        "grpc_status": "%GRPC_STATUS_NUMBER%",
        "reason": "%RESP(X-DASHTRACK-REASON)%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
        "received_bytes": "%BYTES_RECEIVED%",
        "sent_bytes": "%BYTES_SENT%",
        "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "user_agent": "%REQ(USER-AGENT):200%",
        "upstream": "%UPSTREAM_HOST%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "trace_id": "%TRACE_ID%",
    }


def stats_config() -> Config:
    """Return how Envoy's histograms are divided."""
    buckets = {"match": {"prefix": f"{DURATION_STAT}."}, "buckets": DURATION_BUCKETS_S}
    return {"histogram_bucket_settings": [buckets]}


def runtime_layer() -> Config:
    """Return when spans are sent: each second or in large batches, not by fives."""
    opentelemetry = {"flush_interval_ms": 1000, "min_flush_spans": 500}
    return {
        "name": "gateway",
        "static_layer": {"tracing": {"opentelemetry": opentelemetry}},
    }


def tracing(sample_ratio: float) -> Config:
    """Return tracing by OpenTelemetry.

    A `traceparent` from outside is taken up, but whether a trace is kept is decided by the request
    id, which is random and Envoy's own: by the trace id a client could choose to be kept.
    """
    provider = typed(
        _OTEL,
        grpc_service={"envoy_grpc": {"cluster_name": OTLP}, "timeout": "1s"},
        service_name="gateway",
        sampler={"name": "envoy.tracers.opentelemetry.samplers.cel"}
        | typed(
            _CEL_SAMPLER, expression={"cel_expr_parsed": {"expr": _request_id_below(sample_ratio)}}
        ),
    )
    everything = {"value": 100}
    return {
        "provider": {"name": "envoy.tracers.opentelemetry"} | provider,
        "random_sampling": everything,
        "overall_sampling": everything,
        "client_sampling": everything,
        "spawn_upstream_span": False,
        "custom_tags": [
            {"tag": "http.route", "value": "%ROUTE_NAME%"},
        ],
    }


def _request_id_below(ratio: float) -> dict[str, Any]:
    """Return `request.id < bound`, parsed: the sampler doesn't take the text."""
    # The first eight digits of the id are random, and `g` is beyond all digits.
    bound = f"{round(ratio * 2**32):08x}" if ratio < 1 else "g"
    request = {"id": "3", "ident_expr": {"name": "request"}}
    request_id = {"id": "2", "select_expr": {"operand": request, "field": "id"}}
    constant = {"id": "4", "const_expr": {"string_value": bound}}
    return {"id": "1", "call_expr": {"function": "_<_", "args": [request_id, constant]}}
