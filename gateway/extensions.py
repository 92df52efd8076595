"""Names and types of the Envoy extensions in use, and the pieces that several files build with."""

from typing import Any, TypeAlias

Config: TypeAlias = dict[str, Any]
"""A piece of Envoy's configuration, as YAML holds it."""

_HTTP = "envoy.extensions.filters.http"

CEL_FILTER = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"

CORS = "envoy.filters.http.cors"
RBAC = "envoy.filters.http.rbac"
HEADERS = "envoy.filters.http.header_mutation"
LUA = "envoy.filters.http.lua"
ADDRESS_LIMIT = "dashtrack.address_limit"
DEVICE_LIMIT = "dashtrack.device_limit"
GRPC_WEB = "envoy.filters.http.grpc_web"
TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
JWT = "envoy.filters.http.jwt_authn"
ROUTER = "envoy.filters.http.router"

HEALTH_CHECK_TYPE = f"{_HTTP}.health_check.v3.HealthCheck"
CORS_TYPE = f"{_HTTP}.cors.v3.Cors"
CORS_POLICY_TYPE = f"{_HTTP}.cors.v3.CorsPolicy"
RBAC_TYPE = f"{_HTTP}.rbac.v3.RBAC"
RBAC_ROUTE_TYPE = f"{_HTTP}.rbac.v3.RBACPerRoute"
HEADERS_TYPE = f"{_HTTP}.header_mutation.v3.HeaderMutation"
LUA_TYPE = f"{_HTTP}.lua.v3.Lua"
LUA_ROUTE_TYPE = f"{_HTTP}.lua.v3.LuaPerRoute"
LIMIT_TYPE = f"{_HTTP}.local_ratelimit.v3.LocalRateLimit"
BODY_LIMIT_TYPE = f"{_HTTP}.body_size_limit.v3.BodySizeLimit"
GRPC_WEB_TYPE = f"{_HTTP}.grpc_web.v3.GrpcWeb"
TRANSCODER_TYPE = f"{_HTTP}.grpc_json_transcoder.v3.GrpcJsonTranscoder"
JWT_TYPE = f"{_HTTP}.jwt_authn.v3.JwtAuthentication"
JWT_ROUTE_TYPE = f"{_HTTP}.jwt_authn.v3.PerRouteConfig"
ROUTER_TYPE = f"{_HTTP}.router.v3.Router"

_FILTER_CONFIG_TYPE = "envoy.config.route.v3.FilterConfig"


def any_of(type_name: str, **fields: Any) -> Config:
    """Return a message with its type, as `google.protobuf.Any` is written in YAML."""
    return {"@type": f"type.googleapis.com/{type_name}"} | fields


def typed(type_name: str, **fields: Any) -> Config:
    """Return the `typed_config` of an extension."""
    return {"typed_config": any_of(type_name, **fields)}


def off() -> Config:
    """Return what switches a filter off on a route."""
    return any_of(_FILTER_CONFIG_TYPE, disabled=True)


def on() -> Config:
    """Return what switches a filter on, on a route, that is off by default."""
    return any_of(_FILTER_CONFIG_TYPE, config={})


def seconds(value: float) -> str:
    """Return a `google.protobuf.Duration`."""
    return f"{value:g}s"


def no_tokens() -> Config:
    """Return what opens a route to those without a token."""
    return any_of(JWT_ROUTE_TYPE, disabled=True)


def reads() -> Config:
    """Return how a request is recognized that asks for something and changes nothing."""
    return {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}


def header(name: str, value: str) -> Config:
    """Return what sets a header, whatever it was before."""
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
