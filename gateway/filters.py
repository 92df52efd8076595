"""The chain of HTTP filters; its order is part of the design.

The transcoder stands before the check of tokens: behind it a REST call, a gRPC-Web call and a
native gRPC call are the same request, so that one table of routes decides over all three.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gateway import extensions as ext
from gateway.clusters import grpc_cluster, http_cluster
from gateway.contract import BODY_BYTES_MAX_DEFAULT, Rpc
from gateway.extensions import Config, any_of, seconds, typed
from gateway.replies import RETRY_AFTER_S
from gateway.settings import SERVICES, GatewaySettings, RateLimit

USER = "user"
DEVICE = "device"
AUDIENCES = {USER: ["dashtrack-api", "dashtrack-api-key"], DEVICE: ["dashtrack-device"]}

JWKS_PATH = "/.well-known/jwks.json"
_JWKS_REFRESH_S = 60
_TOKEN_CACHE_SIZE = 20_000
_TOKEN_BYTES_MAX = 4096
_ADDRESSES_TRACKED = 50_000
_DEVICES_TRACKED = 200_000
_FILL_INTERVAL_S = 0.1
_LUA = Path(__file__).parent / "lua"
_GRPC_FRAME_BYTES = 5
_TRANSCODED_REQUEST_BYTES_MAX = 1024 * 1024
_TRANSCODED_RESPONSE_BYTES_MAX = 32 * 1024 * 1024


def http_filters(rpcs: Sequence[Rpc], settings: GatewaySettings, descriptor: Path) -> list[Config]:
    """Return the filters in the order in which a request passes them."""
    json_services = sorted({rpc.service for rpc in rpcs if rpc.binding and not rpc.raw})
    return [
        _health("/healthz", SERVICES),
        # For load balancers: a gateway is no worse than another because a service is away.
        _health("/readyz", ()),
        _filter(ext.CORS, ext.CORS_TYPE),
        _filter(ext.RBAC, ext.RBAC_TYPE),
        _filter(ext.ADDRESS_LIMIT, ext.LIMIT_TYPE, **_address_limit(settings.address_limit)),
        *_body_limits(rpcs),
        _filter(ext.GRPC_WEB, ext.GRPC_WEB_TYPE),
        _filter(ext.HEADERS, ext.HEADERS_TYPE, mutations=_always_retry_after()),
        _filter(ext.LUA, ext.LUA_TYPE, source_codes=_lua_sources()),
        _filter(ext.TRANSCODER, ext.TRANSCODER_TYPE, **transcoder(descriptor, json_services)),
        _filter(ext.JWT, ext.JWT_TYPE, **_token_check(settings)),
        _filter(ext.DEVICE_LIMIT, ext.LIMIT_TYPE, stat_prefix="device_limit"),
        _filter(ext.ROUTER, ext.ROUTER_TYPE, suppress_envoy_headers=True),
    ]


def _health(path: str, services: Sequence[str]) -> Config:
    """Return what answers whether the gateway serves, and whether some services can be reached."""
    return _filter(
        f"dashtrack.health{path}",
        ext.HEALTH_CHECK_TYPE,
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": path}}],
        cluster_min_healthy_percentages={
            grpc_cluster(service): {"value": 1} for service in services
        },
    )


def _always_retry_after() -> Config:
    """Add `retry-after` to what has none, such as the last words of a service that stops."""
    waiting = "response.headers[':status'] in ['429', '503']"
    header = {
        "header": {"key": "retry-after", "value": f"%CEL({waiting} ? '{RETRY_AFTER_S}' : '')%"},
        "append_action": "ADD_IF_ABSENT",
        "keep_empty_value": False,
    }
    return {"response_mutations": [{"append": header}]}


def _lua_sources() -> Config:
    return {
        file.stem: {"inline_string": file.read_text("utf-8")} for file in sorted(_LUA.glob("*.lua"))
    }


def _filter(name: str, type_name: str, **fields: Any) -> Config:
    return {"name": name} | typed(type_name, **fields)


def transcoder(
    descriptor: Path, services: Sequence[str], *, server_sent_events: bool = False
) -> Config:
    """Return what makes gRPC of REST calls to some services."""
    stream_format = (
        "stream_sse_style_delimited" if server_sent_events else "stream_newline_delimited"
    )
    return {
        "proto_descriptor": str(descriptor),
        "services": list(services),
        "convert_grpc_status": True,
        "print_options": {"always_print_primitive_fields": True, stream_format: True},
        # Without it, a misspelt parameter would pass the transcoder by and end up nowhere.
        "request_validation_options": {
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
        },
        "max_request_body_size": _TRANSCODED_REQUEST_BYTES_MAX,
        "max_response_body_size": _TRANSCODED_RESPONSE_BYTES_MAX,
    }


def transcoder_override(rpc: Rpc, descriptor: Path) -> Config:
    """Return the filter's configuration on a route that streams server-sent events."""
    options = transcoder(descriptor, [rpc.service], server_sent_events=True)
    return {ext.TRANSCODER: any_of(ext.TRANSCODER_TYPE, **options)}


def device_limit(limit: RateLimit) -> Config:
    """Return the limit of one device's uploads, by the subject of its verified token."""
    subject = {
        "key": ext.JWT,
        "path": [{"key": "token"}, {"key": "sub"}],
    }
    return {
        "stat_prefix": "device_limit",
        "rate_limits": [
            {"actions": [{"metadata": {"descriptor_key": "device", "metadata_key": subject}}]}
        ],
        **_buckets("device", limit, _DEVICES_TRACKED),
    }


def _address_limit(limit: RateLimit) -> Config:
    return {
        "stat_prefix": "address_limit",
        "rate_limits": [{"actions": [{"remote_address": {}}]}],
        **_buckets("remote_address", limit, _ADDRESSES_TRACKED),
    }


def _buckets(key: str, limit: RateLimit, tracked: int) -> Config:
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return {
        # For requests without the key; a bucket is demanded all the same.
        "token_bucket": _bucket(RateLimit(1_000_000, 1_000_000)),
        "always_consume_default_token_bucket": False,
        "descriptors": [{"entries": [{"key": key}], "token_bucket": _bucket(limit)}],
        "max_dynamic_descriptors": tracked,
        "filter_enabled": always,
        "filter_enforced": always,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "rate_limited_as_resource_exhausted": True,
    }


def _bucket(limit: RateLimit) -> Config:
    return {
        "max_tokens": limit.burst,
        "tokens_per_fill": max(1, round(limit.per_second * _FILL_INTERVAL_S)),
        "fill_interval": seconds(_FILL_INTERVAL_S),
    }


def _token_check(settings: GatewaySettings) -> Config:
    return {
        "providers": {name: _provider(settings, accepted) for name, accepted in AUDIENCES.items()},
        "requirement_map": {name: {"provider_name": name} for name in AUDIENCES},
        "strip_failure_response": True,
    }


def _provider(settings: GatewaySettings, audiences: Sequence[str]) -> Config:
    auth = settings.services["auth"]
    return {
        "issuer": settings.token_issuer,
        "audiences": list(audiences),
        "require_expiration": True,
        # Named, because by default a token in the query string would do as well.
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        # Services verify it again.
        "forward": True,
        "payload_in_metadata": "token",
        "clock_skew_seconds": 5,
        "jwt_cache_config": {
            "jwt_cache_size": _TOKEN_CACHE_SIZE,
            "jwt_max_token_size": _TOKEN_BYTES_MAX,
        },
        "remote_jwks": {
            "http_uri": {
                "uri": f"http://{auth.host}:{auth.http_port}{JWKS_PATH}",
                "cluster": http_cluster("auth"),
                "timeout": "2s",
            },
            "cache_duration": seconds(_JWKS_REFRESH_S),
            # The listener opens without the keys: what needs no token works while auth starts.
            "async_fetch": {"fast_listener": True, "failed_refetch_duration": "1s"},
        },
    }


def _body_limits(rpcs: Sequence[Rpc]) -> Iterator[Config]:
    # The filter has no limits per route, but a route can switch one of several filters on.
    for size_bytes in sorted({BODY_BYTES_MAX_DEFAULT} | {rpc.body_bytes_max for rpc in rpcs}):
        limit = _filter(
            _body_limit_name(size_bytes),
            ext.BODY_LIMIT_TYPE,
            max_request_bytes=size_bytes + _GRPC_FRAME_BYTES,
        )
        yield limit | {"disabled": True}


def body_limit(size_bytes: int = BODY_BYTES_MAX_DEFAULT) -> Config:
    """Return what limits the body of a route's requests."""
    return {_body_limit_name(size_bytes): ext.on()}


def _body_limit_name(size_bytes: int) -> str:
    return f"dashtrack.body_limit.{size_bytes}"
