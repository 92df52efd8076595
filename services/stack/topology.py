"""Composition root of the stack: every part with its ports, passwords and neighbours."""

from collections.abc import Mapping

from gateway import GatewaySettings, RateLimit, ServiceAddress, TlsFiles
from services.stack.certificates import ensure_certificates
from services.stack.credentials import SERVICES, Credentials
from services.stack.envoy import Gateway
from services.stack.layout import Layout
from services.stack.nats import Nats, NatsOptions
from services.stack.nats_accounts import nats_account
from services.stack.parts import ListeningPort, Part
from services.stack.postgres import DatabaseAccount, Postgres, PostgresOptions
from services.stack.service import HOST, Service
from services.stack.settings import PREFIX, StackSettings
from services.stack.wiring import service_wiring


def _port(settings: StackSettings, name: str, host: str = HOST) -> ListeningPort:
    return ListeningPort(host, settings.port(name), PREFIX + name.upper())


def build_parts(settings: StackSettings, layout: Layout, credentials: Credentials) -> list[Part]:
    """Build every part; nothing is started."""
    accounts = {
        name: DatabaseAccount(name=name, password=password)
        for name, password in credentials.databases.items()
    }
    postgres = Postgres(
        layout.postgres,
        PostgresOptions(
            port=settings.port("postgres_port"),
            port_setting=PREFIX + "POSTGRES_PORT",
            superuser_password=credentials.postgres_superuser,
            accounts=list(accounts.values()),
            shared_buffers_mb=settings.postgres_shared_buffers_mb,
            connections_max=settings.postgres_connections_max,
        ),
    )
    nats = Nats(
        layout.nats,
        NatsOptions(
            port=settings.port("nats_port"),
            port_setting=PREFIX + "NATS_PORT",
            accounts=[nats_account(name, word) for name, word in credentials.nats.items()],
            probe_password=credentials.nats_probe,
        ),
    )
    urls = {name: postgres.url(account) for name, account in accounts.items()}
    services = [
        _build_service(name, settings, service_wiring(name, settings, layout, credentials, urls))
        for name in SERVICES
    ]
    return [postgres, nats, *services, _build_gateway(settings, layout)]


def _build_service(name: str, settings: StackSettings, wiring: Mapping[str, str]) -> Service:
    ports = {kind: _port(settings, f"{name}_{kind}_port") for kind in ("grpc", "http")}
    return Service(name, ports, wiring, settings.probe_timeout_s)


def _build_gateway(settings: StackSettings, layout: Layout) -> Gateway:
    certificates = ensure_certificates(layout.tls)
    addresses = {
        name: ServiceAddress(
            HOST, settings.port(f"{name}_grpc_port"), settings.port(f"{name}_http_port")
        )
        for name in SERVICES
    }
    return Gateway(
        layout.gateway,
        GatewaySettings(
            services=addresses,
            listen_host=settings.gateway_host,
            http_port=settings.port("gateway_port"),
            tls_port=settings.port("gateway_tls_port"),
            tls=TlsFiles(certificates.certificate, certificates.key),
            admin_port=settings.port("gateway_admin_port"),
            otlp_endpoint=settings.otlp_endpoint,
            trace_sample_ratio=settings.trace_sample_ratio,
            cors_origins=settings.cors_origins,
            address_limit=RateLimit(settings.address_calls_burst, settings.address_calls_per_s),
            device_limit=RateLimit(settings.device_uploads_burst, settings.device_uploads_per_s),
        ),
        [
            _port(settings, "gateway_port", settings.gateway_host),
            _port(settings, "gateway_tls_port", settings.gateway_host),
            _port(settings, "gateway_admin_port"),
        ],
        probe_timeout_s=settings.probe_timeout_s,
        drain_timeout_s=settings.drain_timeout_s,
    )
