"""The table of routes: what of the outside reaches which RPC, and under which conditions.

An RPC has one route that forwards, by its gRPC path. REST calls enter by a route of their own,
which forwards nothing: the transcoder turns them into gRPC calls, and the table is asked again.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gateway import extensions as ext
from gateway import filters
from gateway.clusters import ADMIN, NOWHERE, grpc_cluster, http_cluster
from gateway.contract import Rpc
from gateway.extensions import Config, any_of, seconds
from gateway.settings import SERVICES, GatewaySettings
from gateway.site import Page, page_routes

RAW_CONTENT_TYPE = "application/x-protobuf"
SERVICE_HEADER = "x-dashtrack-service"
UNMATCHED = "unmatched"

# The service's own answer to a deadline is better than Envoy's, so it gets the time for one.
_DEADLINE_GRACE_S = 0.5
_WATCH_IDLE_S = 120
_RETRIES = 2
_GRPC = "application/grpc"
_REFLECTION = ("grpc.reflection.v1", "grpc.reflection.v1alpha")


def virtual_host(
    rpcs: Sequence[Rpc],
    pages: Sequence[Page],
    settings: GatewaySettings,
    descriptor: Path,
    site: Path,
) -> Config:
    """Return the one virtual host."""
    raw = [rpc for rpc in rpcs if rpc.raw]
    typed = [rpc for rpc in rpcs if not rpc.raw]
    return {
        "name": "dashtrack",
        "domains": ["*"],
        "routes": [
            # Uploads come first: they are nearly all there is.
            *(_raw_entry(rpc, raw, descriptor) for rpc in raw),
            *(_call(rpc, settings) for rpc in (*raw, *typed)),
            *_health(),
            *_reflection(),
            _unmatched_grpc(),
            *_entries(typed, descriptor),
            *_metrics(settings),
            *page_routes(pages, site),
            _preflight(),
            _unmatched(),
        ],
        # It says what a service's gRPC library can do, to clients that speak to Envoy.
        "response_headers_to_remove": ["grpc-accept-encoding", "x-envoy-ratelimited"],
        "typed_per_filter_config": {
            # Deny by default: a route that doesn't say otherwise needs a person's token.
            ext.JWT: _tokens(filters.USER),
            ext.CORS: _cors(settings.cors_origins),
        },
    }


def _call(rpc: Rpc, settings: GatewaySettings) -> Config:
    config: Config = {} if rpc.client_streaming else filters.body_limit(rpc.body_bytes_max)
    if rpc.public:
        config[ext.JWT] = ext.no_tokens()
    elif rpc.for_devices:
        config[ext.JWT] = _tokens(filters.DEVICE)
        config[ext.ADDRESS_LIMIT] = ext.off()
        config[ext.DEVICE_LIMIT] = any_of(
            ext.LIMIT_TYPE, **filters.device_limit(settings.device_limit)
        )
    if _is_device_link(rpc):
        config[ext.LUA] = _lua("device_errors")
    route: Config = {
        "name": rpc.label,
        "match": {"path": rpc.path, "headers": _grpc()},
        "route": {"cluster": grpc_cluster(rpc.owner)} | _time(rpc) | _retries(rpc),
        "typed_per_filter_config": config,
    }
    if not rpc.unbounded:
        route["request_headers_to_add"] = [
            {
                "header": {"key": "grpc-timeout", "value": f"{rpc.deadline_ms}m"},
                "append_action": "ADD_IF_ABSENT",
            }
        ]
    return route


def _time(rpc: Rpc) -> Config:
    if rpc.unbounded:
        return {
            "timeout": "0s",
            "idle_timeout": seconds(_WATCH_IDLE_S),
            "max_stream_duration": {"grpc_timeout_header_max": "0s"},
        }
    limit = seconds(rpc.deadline_ms / 1000 + _DEADLINE_GRACE_S)
    return {"timeout": limit, "max_stream_duration": {"grpc_timeout_header_max": limit}}


def _retries(rpc: Rpc) -> Config:
    if not rpc.idempotent or rpc.client_streaming or rpc.server_streaming:
        return {}
    return {
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset-before-request,unavailable",
            "num_retries": _RETRIES,
            "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.5s"},
        }
    }


def _entries(rpcs: Iterable[Rpc], descriptor: Path) -> Iterator[Config]:
    for rpc in rpcs:
        if rpc.binding is None:
            continue
        if rpc.server_streaming:
            yield _entry(rpc, [_accept_events()], filters.transcoder_override(rpc, descriptor))
        yield _entry(rpc, [], {})


def _raw_entry(rpc: Rpc, raw: Sequence[Rpc], descriptor: Path) -> Config:
    services = sorted({other.service for other in raw})
    transcoder = any_of(ext.TRANSCODER_TYPE, **filters.transcoder(descriptor, services))
    return _entry(rpc, [_content_type(RAW_CONTENT_TYPE)], {ext.TRANSCODER: transcoder})


def _entry(rpc: Rpc, headers: Sequence[Config], config: Config) -> Config:
    config = filters.body_limit(rpc.body_bytes_max) | config
    if rpc.for_devices:
        config[ext.ADDRESS_LIMIT] = ext.off()
    if _is_device_link(rpc):
        config[ext.LUA] = _lua("device_errors")
    verb = {"name": ":method", "string_match": {"exact": rpc.bound.verb}}
    return {
        "name": rpc.label,
        "match": _path(rpc.bound.template) | {"headers": [verb, *headers]},
        # The filter for CORS looks at routes alone that forward.
        "route": {"cluster": NOWHERE},
        "typed_per_filter_config": config,
    }


def _path(template: str) -> Config:
    if "{" not in template:
        return {"path": template}
    parts = re.split(r"\{[^}]*\}", template)
    return {"safe_regex": {"regex": "[^/]+".join(re.escape(part) for part in parts)}}


def _health() -> Iterator[Config]:
    for service in (*SERVICES, None):
        headers = _grpc()
        if service:
            headers.append({"name": SERVICE_HEADER, "string_match": {"exact": service}})
        yield _grpc_own("grpc.health.v1.Health/Check", headers, service or "auth", "2s")


def _reflection() -> Iterator[Config]:
    for package in _REFLECTION:
        name = f"{package}.ServerReflection/ServerReflectionInfo"
        yield _grpc_own(name, _grpc(), "auth", "60s")


def _grpc_own(name: str, headers: Sequence[Config], service: str, limit: str) -> Config:
    return {
        "name": name,
        "match": {"path": f"/{name}", "headers": list(headers)},
        "route": {
            "cluster": grpc_cluster(service),
            "timeout": limit,
            "max_stream_duration": {"max_stream_duration": limit},
        },
        "typed_per_filter_config": {
            ext.JWT: ext.no_tokens(),
            **filters.body_limit(),
        },
    }


def _metrics(settings: GatewaySettings) -> Iterator[Config]:
    private = {
        ext.RBAC: _private(settings),
        ext.JWT: ext.no_tokens(),
        ext.TRANSCODER: ext.off(),
        ext.ADDRESS_LIMIT: ext.off(),
    }
    yield {
        "name": "/metrics",
        "match": {"path": "/metrics", "headers": [ext.reads()]},
        "route": {
            "cluster": ADMIN,
            "path_rewrite": "/stats/prometheus?usedonly",
            "timeout": "5s",
        },
        "typed_per_filter_config": private | {ext.LUA: _lua("metrics")},
    }
    for service in SERVICES:
        yield {
            "name": f"/metrics/{service}",
            "match": {"path": f"/metrics/{service}", "headers": [ext.reads()]},
            "route": {
                "cluster": http_cluster(service),
                "prefix_rewrite": "/metrics",
                "timeout": "5s",
            },
            "typed_per_filter_config": private,
        }


def _private(settings: GatewaySettings) -> Config:
    networks = [_network(source) for source in settings.metrics_sources]
    # Envoy appends the address it sees: a second one is from a proxy in front, and a request that
    # came through a proxy may come from anywhere.
    proxied = {
        "header": {"name": "x-forwarded-for", "string_match": {"contains": ","}},
    }
    principal = {"and_ids": {"ids": [{"or_ids": {"ids": networks}}, {"not_id": proxied}]}}
    policy = {"permissions": [{"any": True}], "principals": [principal]}
    return any_of(
        ext.RBAC_ROUTE_TYPE, rbac={"rules": {"action": "ALLOW", "policies": {"private": policy}}}
    )


def _network(source: str) -> Config:
    prefix, _, length = source.partition("/")
    cidr = {"address_prefix": prefix, "prefix_len": int(length)}
    return {"direct_remote_ip": cidr}


def _preflight() -> Config:
    """Return the route of browsers' questions about other origins; the filter answers them."""
    asks = ("origin", "access-control-request-method")
    return {
        "name": "preflight",
        "match": {
            "prefix": "/",
            "headers": [
                {"name": ":method", "string_match": {"exact": "OPTIONS"}},
                *({"name": name, "present_match": True} for name in asks),
            ],
        },
        "route": {"cluster": NOWHERE},
        "typed_per_filter_config": {ext.JWT: ext.no_tokens(), ext.TRANSCODER: ext.off()},
    }


def _unmatched_grpc() -> Config:
    """Return the end of the table for gRPC, which REST paths have nothing to offer."""
    return _unmatched() | {"match": {"prefix": "/", "headers": [_content_type(_GRPC)]}}


def _unmatched() -> Config:
    return {
        "name": UNMATCHED,
        "match": {"prefix": "/"},
        "direct_response": {"status": 404},
        # What isn't there needs no token to be told so. The transcoder is off because it knows
        # paths that this table doesn't, such as those with a slash at the end: they would get past
        # the limits of their route.
        "typed_per_filter_config": {ext.JWT: ext.no_tokens(), ext.TRANSCODER: ext.off()},
    }


def _cors(origins: Sequence[str]) -> Config:
    return any_of(
        ext.CORS_POLICY_TYPE,
        allow_origin_string_match=[{"exact": origin} for origin in origins],
        allow_methods="GET, POST, PATCH, PUT, DELETE, OPTIONS",
        allow_headers=(
            "authorization, content-type, grpc-timeout, traceparent, tracestate, "
            "x-grpc-web, x-user-agent"
        ),
        expose_headers=(
            "grpc-message, grpc-status, grpc-status-details-bin, retry-after, "
            "x-dashtrack-reason, x-request-id"
        ),
        max_age="86400",
        forward_not_matching_preflights=False,
        # Tokens travel in a header that pages set themselves; cookies mean nothing here.
        allow_credentials=False,
    )


def _is_device_link(rpc: Rpc) -> bool:
    return rpc.service.startswith("dashtrack.device.")


def _tokens(requirement: str) -> Config:
    return any_of(ext.JWT_ROUTE_TYPE, requirement_name=requirement)


def _lua(name: str) -> Config:
    return any_of(ext.LUA_ROUTE_TYPE, name=name)


def _grpc() -> list[Config]:
    """Return how a gRPC call is recognized, before or behind the filters that make one."""
    content_type = {"safe_regex": {"regex": rf"{_GRPC}(-web|-web-text)?([+;].*)?"}}
    return [
        {"name": ":method", "string_match": {"exact": "POST"}},
        {"name": "content-type", "string_match": content_type},
    ]


def _content_type(prefix: str) -> Config:
    return {"name": "content-type", "string_match": {"prefix": prefix}}


def _accept_events() -> Config:
    return {"name": "accept", "string_match": {"contains": "text/event-stream"}}
