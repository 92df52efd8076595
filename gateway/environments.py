"""The surroundings that the gateway is rendered for by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.settings import SERVICES, GatewaySettings, ServiceAddress, TlsFiles

_GRPC_PORT = 50051
_HTTP_PORT = 50061
# On a laptop all services share one address, and below 32768 no client is given their port.
_LAPTOP_GRPC_PORT = 15051
_LAPTOP_HTTP_PORT = 15061
_OTLP_ENDPOINT = "http://{host}:4317"
_CERTIFICATES = Path("/etc/dashtrack/tls")
_TLS = TlsFiles(_CERTIFICATES / "tls.crt", _CERTIFICATES / "tls.key")


def laptop() -> GatewaySettings:
    """Return the settings of `make up` on its usual ports, without TLS and tracing."""
    return GatewaySettings(
        services={
            name: ServiceAddress("127.0.0.1", _LAPTOP_GRPC_PORT + index, _LAPTOP_HTTP_PORT + index)
            for index, name in enumerate(SERVICES)
        }
    )


def compose() -> GatewaySettings:
    """Return the settings of Docker Compose: services by their names."""
    return GatewaySettings(
        services={name: ServiceAddress(name, _GRPC_PORT, _HTTP_PORT) for name in SERVICES},
        tls=_TLS,
        otlp_endpoint=_OTLP_ENDPOINT.format(host="jaeger"),
    )


def kubernetes() -> GatewaySettings:
    """Return the settings of Kubernetes: headless services, whose pods are balanced over."""
    return GatewaySettings(
        services={
            name: ServiceAddress(f"{name}-headless", _GRPC_PORT, _HTTP_PORT) for name in SERVICES
        },
        tls=_TLS,
        otlp_endpoint=_OTLP_ENDPOINT.format(host="otel-collector"),
        # The load balancer in front of the gateway.
        trusted_proxies=1,
    )


ENVIRONMENTS: Mapping[str, Callable[[], GatewaySettings]] = {
    "laptop": laptop,
    "compose": compose,
    "kubernetes": kubernetes,
}
