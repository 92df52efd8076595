"""What each service is told about its neighbours, as environment variables."""

import json
from collections.abc import Mapping

from services.stack.credentials import Credentials
from services.stack.layout import Layout
from services.stack.service import HOST
from services.stack.settings import StackSettings


def service_wiring(
    name: str,
    settings: StackSettings,
    layout: Layout,
    credentials: Credentials,
    database_urls: Mapping[str, str],
) -> Mapping[str, str]:
    """Return a service's variables; what isn't wiring keeps the service's own default."""
    jwks = f"http://{HOST}:{settings.port('auth_http_port')}/.well-known/jwks.json"
    common = {
        "GRPC_PORT": str(settings.port(f"{name}_grpc_port")),
        "HTTP_PORT": str(settings.port(f"{name}_http_port")),
        "DATABASE_URL": database_urls[name],
        "NATS_URL": f"nats://{HOST}:{settings.port('nats_port')}",
        "NATS_USER": name,
        "NATS_PASSWORD": credentials.nats[name],
        "JWKS_URL": jwks,
        "AUTH_TARGET": _target(settings, "auth"),
        "SERVICE_SECRET": credentials.services[name],
        "TRACE_SAMPLE_RATIO": str(settings.trace_sample_ratio),
    }
    if settings.otlp_endpoint:
        common["OTLP_ENDPOINT"] = settings.otlp_endpoint
    own = _own_wiring(name, settings, layout, credentials)
    return {f"DASHTRACK_{name.upper()}_{key}": value for key, value in {**common, **own}.items()}


def _own_wiring(
    name: str, settings: StackSettings, layout: Layout, credentials: Credentials
) -> Mapping[str, str]:
    if name == "auth":
        return {
            "BOOTSTRAP_EMAIL": settings.bootstrap_email,
            "BOOTSTRAP_PASSWORD": credentials.administrator_password,
            "ENCRYPTION_KEY": credentials.encryption_key,
            "SERVICE_SECRETS": json.dumps(dict(credentials.services)),
            "MAILBOX_DIR": str(layout.mailbox),
            "USERS_TARGET": _target(settings, "users"),
        }
    if name == "users":
        return {
            "BOOTSTRAP_EMAIL": settings.bootstrap_email,
            "COMPANIES_TARGET": _target(settings, "companies"),
        }
    if name == "companies":
        return {
            "USERS_TARGET": _target(settings, "users"),
            "TELEMETRY_TARGET": _target(settings, "telemetry"),
        }
    if name == "telemetry":
        return {
            "CLAIM_KEY": credentials.claim_key,
            "COMPANIES_TARGET": _target(settings, "companies"),
        }
    return {}


def _target(settings: StackSettings, name: str) -> str:
    return f"{HOST}:{settings.port(f'{name}_grpc_port')}"
