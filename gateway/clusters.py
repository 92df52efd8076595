"""Where the gateway sends requests: the part that differs from one environment to the next."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from gateway.contract import Rpc
from gateway.extensions import Config, seconds, typed
from gateway.settings import SERVICES, GatewaySettings

ADMIN = "envoy_admin"
OTLP = "otlp"
NOWHERE = "nowhere"
"""Has no endpoints: where a request goes that nothing may come of."""

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_REQUESTS_MAX = 10_000


def grpc_cluster(service: str) -> str:
    """Return the cluster of a service's RPCs."""
    return service


def http_cluster(service: str) -> str:
    """Return the cluster of a service's metrics and keys."""
    return f"{service}_http"


def overlay(settings: GatewaySettings, rpcs: Sequence[Rpc]) -> Config:
    """Return what is merged into base.yaml: the admin interface and all clusters.

    Merging appends lists, so clusters may stand in one of the two files only.
    """
    probed = {rpc.owner: rpc.service for rpc in reversed(rpcs)}
    clusters = [_grpc(settings, service, probed[service]) for service in SERVICES]
    clusters += [_http(settings, service) for service in SERVICES]
    clusters.append(_cluster(ADMIN, settings.admin_host, settings.admin_port, _http1()))
    clusters.append({"name": NOWHERE, "type": "STATIC"})
    if settings.otlp_endpoint:
        clusters.append(_otlp(settings.otlp_endpoint))
    return {
        "admin": {"address": _address(settings.admin_host, settings.admin_port)},
        "static_resources": {"clusters": clusters},
    }


def _grpc(settings: GatewaySettings, service: str, probed: str) -> Config:
    address = settings.services[service]
    return _cluster(service, address.host, address.grpc_port, _http2()) | {
        "health_checks": [
            {
                "grpc_health_check": {"service_name": probed},
                "timeout": "2s",
                "interval": "2s",
                # A gateway that starts together with the services finds them soon.
                "no_traffic_interval": "1s",
                "unhealthy_interval": "0.5s",
                "initial_jitter": "0.1s",
                "interval_jitter": "0.2s",
                "healthy_threshold": 1,
                "unhealthy_threshold": 2,
            }
        ],
        # A service that is down answers 503 at once; it is not tried in the hope that it lives.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "outlier_detection": {
            # Only for what can't be reached: whether an instance is well, its health check says.
            # What it answers is no sign. Boards of suspended companies are refused in long rows,
            # and a service that misses another one says UNAVAILABLE in every instance.
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 10,
            "consecutive_5xx": 0,
            "consecutive_gateway_failure": 0,
            "enforcing_success_rate": 0,
            "interval": "1s",
            "base_ejection_time": "2s",
            "max_ejection_time": "10s",
            # The last instance stays: ejecting it would make an outage of an error.
            "max_ejection_percent": 50,
            "always_eject_one_host": False,
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 1024,
                    "max_pending_requests": 2048,
                    "max_requests": _REQUESTS_MAX,
                    "retry_budget": {
                        "budget_percent": {"value": 20},
                        "min_retry_concurrency": 5,
                    },
                }
            ]
        },
    }


def _http(settings: GatewaySettings, service: str) -> Config:
    address = settings.services[service]
    return _cluster(http_cluster(service), address.host, address.http_port, _http1())


def _otlp(endpoint: str) -> Config:
    parts = urlsplit(endpoint)
    if parts.scheme != "http" or not parts.hostname or not parts.port:
        raise ValueError(f"otlp_endpoint must be http://host:port, not {endpoint!r}")
    return _cluster(OTLP, parts.hostname, parts.port, _http2())


def _cluster(name: str, host: str, port: int, options: Config) -> Config:
    return {
        "name": name,
        # Understands addresses too; a name that resolves to several is balanced over.
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "lb_policy": "LEAST_REQUEST",
        "connect_timeout": seconds(1),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(host, port)}}]}],
        },
        "typed_extension_protocol_options": {_HTTP_OPTIONS: options},
    }


def _http2() -> Config:
    return _protocol(
        {
            "http2_protocol_options": {
                "connection_keepalive": {"interval": "30s", "timeout": "5s"},
                "initial_stream_window_size": 1024 * 1024,
                "initial_connection_window_size": 8 * 1024 * 1024,
            }
        }
    )


def _http1() -> Config:
    return _protocol({"http_protocol_options": {}})


def _protocol(explicit: Config) -> Config:
    options: dict[str, Any] = typed(_HTTP_OPTIONS)["typed_config"]
    return options | {"explicit_http_config": explicit}


def _address(host: str, port: int) -> Config:
    return {"socket_address": {"address": host, "port_value": port}}
