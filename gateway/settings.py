"""What the gateway is told about its surroundings; a rendering is a function of this alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SERVICES = ("auth", "users", "companies", "telemetry")
"""The services behind the gateway, by the names of their clusters."""

PRIVATE_SOURCES = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "fc00::/7",
)
"""Addresses that no router passes on to the internet."""


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Where a service listens."""

    host: str
    grpc_port: int
    http_port: int
    """Metrics and, at auth, the keys that verify tokens."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A token bucket: so many requests at once, refilled at a steady rate."""

    burst: int
    per_second: int


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of the certificate chain and its private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Everything that differs between one gateway and another."""

    services: Mapping[str, ServiceAddress]
    """One address for each of SERVICES; a name that resolves to several is balanced over."""
    listen_host: str = "0.0.0.0"  # noqa: S104 - the gateway is what the outside reaches
    http_port: int = 8080
    tls_port: int = 8443
    tls: TlsFiles | None = None
    """Without files nothing listens on `tls_port`."""
    admin_host: str = "127.0.0.1"
    """Envoy's admin interface can stop it: keep it on loopback."""
    admin_port: int = 9901
    otlp_endpoint: str | None = None
    """`http://host:port` of an OTLP/gRPC receiver; without one nothing is traced."""
    trace_sample_ratio: float = 0.01
    cors_origins: Sequence[str] = ()
    """Exact origins, such as `https://console.example`, whose pages may call the API."""
    trusted_proxies: int = 0
    """How many proxies in front append to `x-forwarded-for`."""
    metrics_sources: Sequence[str] = PRIVATE_SOURCES
    """Networks that may read `/metrics` directly, without a proxy between."""
    address_limit: RateLimit = field(default=RateLimit(burst=1000, per_second=200))
    """For one client address, over all calls but devices' uploads."""
    device_limit: RateLimit = field(default=RateLimit(burst=60, per_second=10))
    """For one device's uploads."""
    connections_max: int = 20_000
    heap_bytes_max: int = 1024 * 1024 * 1024
    token_issuer: str = "dashtrack"  # noqa: S105 - a name, not a secret
    drain_time_s: int = 10
    """How long listeners stay open, telling clients to go elsewhere, once a drain begins."""
    concurrency: int | None = None
    """Worker threads; as many as processors if None."""
