"""The gateway: Envoy, configured from the contract."""

from gateway.draining import drain
from gateway.render import render
from gateway.settings import (
    PRIVATE_SOURCES,
    SERVICES,
    GatewaySettings,
    RateLimit,
    ServiceAddress,
    TlsFiles,
)

__all__ = [
    "PRIVATE_SOURCES",
    "SERVICES",
    "GatewaySettings",
    "RateLimit",
    "ServiceAddress",
    "TlsFiles",
    "drain",
    "render",
]
