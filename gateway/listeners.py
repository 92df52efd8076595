"""What the gateway listens on, and how it reads a request before the filters see it."""

from collections.abc import Sequence
from typing import Any

from gateway.extensions import Config, any_of, header, seconds, typed
from gateway.observability import access_logs, tracing
from gateway.replies import local_reply_config
from gateway.settings import GatewaySettings, TlsFiles
from gateway.site import BODY_BYTES_MAX

_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_EARLY_MUTATION = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_TLS = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"

_BUFFER_BYTES = 1024 * 1024
_HEADERS_KB_MAX = 32

# Who a caller is stands in its token. Nothing reads these; they are taken away all the same, so
# that nobody ever comes to trust one.
IDENTITY_HEADERS = (
    "x-caller-id",
    "x-company-id",
    "x-dashtrack-caller",
    "x-dashtrack-company-id",
    "x-dashtrack-device-id",
    "x-dashtrack-role",
    "x-dashtrack-user-id",
    "x-device-id",
    "x-forwarded-client-cert",
    "x-forwarded-user",
    "x-jwt-payload",
    "x-role",
    "x-user-id",
    "x-user-role",
)

# W3C trace context: what doesn't look like it would keep a call from being traced at all. Three
# expressions that overlap, since Envoy bounds the size of one.
_TRACEPARENT = ("^00-[0-9a-f]{32}-", "-[0-9a-f]{16}-[0-9a-f]{2}$", "^[^-]*-[^-]*-[^-]*-[^-]*$")
# What is malformed is the client's mistake, and gRPC libraries answer INTERNAL to it.
_GRPC_TIMEOUT = ("^[0-9]{1,8}[HMSmun]$",)
# Compression is for messages of gRPC; on any other request the service's library answers INTERNAL.
_GRPC_ENCODING = ("^(identity|gzip|deflate)$",)
_IS_GRPC = "request.headers['content-type'].startsWith('application/grpc')"
# Legal in HTTP and illegal in gRPC, whose libraries answer INTERNAL to a call that carries it:
# names with other characters, and what says that it is base64 or a number and isn't.
_NOT_FOR_GRPC = (
    {"safe_regex": {"regex": "[^:]*[^a-z0-9_.:-][^:]*"}},
    {"suffix": "-bin"},
    {"exact": "grpc-previous-rpc-attempts"},
    {"exact": "grpc-retry-pushback-ms"},
)
_DETOUR = "x-dashtrack-checked"


def listeners(settings: GatewaySettings, filters: list[Config], host: Config) -> list[Config]:
    """Return the plain listener and, if there is a certificate, the one with TLS."""
    # Both share one object, which YAML writes once and refers to.
    chain = [
        {"name": "envoy.filters.network.http_connection_manager"}
        | typed(_MANAGER, **_manager(settings, filters, host))
    ]
    plain = _listener("plain", settings.listen_host, settings.http_port, {"filters": chain})
    if settings.tls is None:
        return [plain]
    secured = {"filters": chain, "transport_socket": _transport_socket(settings.tls)}
    return [plain, _listener("tls", settings.listen_host, settings.tls_port, secured)]


def _listener(name: str, host: str, port: int, chain: Config) -> Config:
    return {
        "name": name,
        "address": {"socket_address": {"address": host, "port_value": port}},
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "filter_chains": [chain],
    }


def _transport_socket(files: TlsFiles) -> Config:
    certificate = {
        "certificate_chain": {"filename": str(files.certificate)},
        "private_key": {"filename": str(files.key)},
    }
    context = {
        "tls_certificates": [certificate],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "alpn_protocols": ["h2", "http/1.1"],
    }
    return {"name": "envoy.transport_sockets.tls"} | typed(_TLS, common_tls_context=context)


def _manager(settings: GatewaySettings, filters: list[Config], host: Config) -> Config:
    manager: dict[str, Any] = {
        "stat_prefix": "gateway",
        # HTTP/1.1, HTTP/2 by ALPN, and HTTP/2 without TLS by prior knowledge.
        "codec_type": "AUTO",
        "route_config": {
            "name": "dashtrack",
            "max_direct_response_body_size_bytes": BODY_BYTES_MAX,
            "virtual_hosts": [host],
        },
        "http_filters": filters,
        "local_reply_config": local_reply_config(),
        "access_log": access_logs(),
        "early_header_mutation_extensions": [_early_mutation()],
        **_connections(),
        **_trust(settings),
    }
    if settings.otlp_endpoint:
        manager["tracing"] = tracing(settings.trace_sample_ratio)
    return manager


def _connections() -> Config:
    return {
        "server_name": "dashtrack",
        "common_http_protocol_options": {
            "idle_timeout": seconds(600),
            "max_headers_count": 100,
            # Frameworks read `a_b` as `a-b`: such a header would pass those that strip `a-b`.
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 256,
            "initial_stream_window_size": 256 * 1024,
            "initial_connection_window_size": 1024 * 1024,
        },
        "max_request_headers_kb": _HEADERS_KB_MAX,
        "request_headers_timeout": seconds(10),
        "stream_idle_timeout": seconds(60),
        "drain_timeout": seconds(5),
        "delayed_close_timeout": seconds(1),
    }


def _trust(settings: GatewaySettings) -> Config:
    return {
        "use_remote_address": True,
        "xff_num_trusted_hops": settings.trusted_proxies,
        # No address is trusted for being private, where headers of Envoy's own would be believed.
        # An empty list means all private ones, so it has the one that nobody can have (RFC 7600).
        "internal_address_config": {
            "cidr_ranges": [{"address_prefix": "192.0.0.8", "prefix_len": 32}]
        },
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "always_set_request_id_in_response": True,
    }


def _early_mutation() -> Config:
    mutations: list[Config] = [{"remove": name} for name in (*IDENTITY_HEADERS, _DETOUR)]
    mutations.append({"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}})
    mutations.append({"remove": "baggage"})
    mutations += [{"remove_on_match": {"key_matcher": match}} for match in _NOT_FOR_GRPC]
    mutations += _checked("traceparent", _TRACEPARENT)
    mutations += _checked("grpc-timeout", _GRPC_TIMEOUT)
    mutations += _checked("grpc-encoding", _GRPC_ENCODING, _IS_GRPC)
    return {"name": "envoy.http.early_header_mutation.header_mutation"} | typed(
        _EARLY_MUTATION, mutations=mutations
    )


def _checked(name: str, expressions: Sequence[str], *conditions: str) -> list[Config]:
    """Keep a well-formed header only; it takes a detour, for only adding is conditional."""
    given = f"request.headers['{name}']"
    valid = " && ".join(
        [*(f"{given}.matches('{expression}')" for expression in expressions), *conditions]
    )
    return [
        _added(_DETOUR, f"%CEL({valid} ? {given} : '')%"),
        {"remove": name},
        _added(name, f"%REQ({_DETOUR})%"),
        {"remove": _DETOUR},
    ]


def _added(name: str, value: str) -> Config:
    return {"append": header(name, value) | {"keep_empty_value": False}}


def overload_manager(settings: GatewaySettings) -> Config:
    """Return what keeps the gateway itself alive when there is too much of everything."""
    heap = any_of(
        "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
        max_heap_size_bytes=settings.heap_bytes_max,
    )
    connections = any_of(
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=settings.connections_max,
    )
    return {
        "refresh_interval": seconds(0.25),
        "resource_monitors": [
            {"name": "envoy.resource_monitors.fixed_heap", "typed_config": heap},
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": connections,
            },
        ],
        "actions": [
            _action("shrink_heap", 0.9),
            _action("disable_http_keepalive", 0.92),
            _action("stop_accepting_requests", 0.95),
            _action("stop_accepting_connections", 0.98),
        ],
    }


def _action(name: str, threshold: float) -> Config:
    heap = {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": threshold}}
    return {"name": f"envoy.overload_actions.{name}", "triggers": [heap]}
