"""The composition root: the only place that constructs the service's adapters."""

import grpc.aio
from aiohttp import web
from dashtrack.audit.v1.audit_service_pb2_grpc import add_AuditServiceServicer_to_server
from dashtrack.auth.internal.v1.security_service_pb2_grpc import (
    add_SecurityServiceServicer_to_server,
)
from dashtrack.auth.internal.v1.token_service_pb2_grpc import add_TokenServiceServicer_to_server
from dashtrack.auth.v1.api_key_service_pb2_grpc import add_ApiKeyServiceServicer_to_server
from dashtrack.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server
from dashtrack.auth.v1.email_service_pb2_grpc import add_EmailServiceServicer_to_server
from dashtrack.auth.v1.introspection_service_pb2_grpc import (
    add_IntrospectionServiceServicer_to_server,
)

from services.auth import codec
from services.auth.adapters.key_ring import KeyRing
from services.auth.adapters.recording import PrometheusRecorder
from services.auth.adapters.token_examiner import examine_token
from services.auth.app.audit import BOOKKEEPING_TABLES, build_audit_log, make_signer
from services.auth.app.background import make_workers
from services.auth.app.machines import api_key_usecases, token_usecases
from services.auth.app.parts import Parts, make_parts, utc_now
from services.auth.app.people import Addresses, auth_usecases, email_usecases
from services.auth.clients import GrpcAddressBook
from services.auth.grpc_api import AUTH_SERVICE, TOKEN_SERVICE, AuthServicer, TokenServicer
from services.auth.grpc_api.api_keys import (
    API_KEY_SERVICE,
    INTROSPECTION_SERVICE,
    ApiKeyServicer,
    IntrospectionServicer,
)
from services.auth.grpc_api.audit import AUDIT_SERVICE
from services.auth.grpc_api.emails import EMAIL_SERVICE, EmailServicer
from services.auth.grpc_api.figures import SECURITY_SERVICE, SecurityServicer
from services.auth.settings import AuthSettings
from services.auth.storage.figures import PostgresFigureReader
from services.auth.usecases.figures import GetSecurityFigures
from services.auth.usecases.introspection import IntrospectToken
from services.auth.usecases.people import BootstrapMaster
from services.chassis.application import App, Runtime
from services.chassis.revocations import RevocationPage

JWKS_PATH = "/.well-known/jwks.json"

_SERVICE_NAMES = [
    AUTH_SERVICE,
    TOKEN_SERVICE,
    API_KEY_SERVICE,
    EMAIL_SERVICE,
    INTROSPECTION_SERVICE,
    AUDIT_SERVICE,
    SECURITY_SERVICE,
]


async def build(runtime: Runtime[AuthSettings]) -> App:
    """Build the service on its run-time."""
    settings = runtime.settings
    parts = make_parts(runtime)
    await _prepare(runtime, parts)
    # From here on nothing asks the database: a build that met an absent one is tried again, and
    # series are made once.
    recorder = PrometheusRecorder(runtime.metrics)
    book = GrpcAddressBook(runtime.channels.channel(settings.users_target))
    addresses = Addresses(parts, book)
    auth = auth_usecases(parts, recorder, addresses)
    tokens = token_usecases(parts, recorder)
    api_keys = api_key_usecases(parts, recorder)
    emails = email_usecases(parts, recorder, addresses)
    audit = build_audit_log(runtime, parts.vault, utc_now)
    reader = PostgresFigureReader(runtime.database)
    figures = GetSecurityFigures(reader, settings.lifetimes, utc_now)
    proxies = settings.proxies_trusted

    def register(server: grpc.aio.Server) -> None:
        add_AuthServiceServicer_to_server(AuthServicer(auth, proxies), server)
        add_TokenServiceServicer_to_server(TokenServicer(tokens), server)
        add_SecurityServiceServicer_to_server(SecurityServicer(figures), server)
        add_ApiKeyServiceServicer_to_server(ApiKeyServicer(api_keys, proxies), server)
        add_EmailServiceServicer_to_server(EmailServicer(emails, proxies), server)
        add_IntrospectionServiceServicer_to_server(
            IntrospectionServicer(IntrospectToken(examine_token)), server
        )
        add_AuditServiceServicer_to_server(audit.servicer, server)

    async def own_revocations(position: str) -> RevocationPage:
        page = await tokens.list_revocations(codec.decode_position(position))
        return codec.pulled_page(page)

    workers = make_workers(runtime, parts, recorder, addresses, audit.erase)
    return App(
        service_names=_SERVICE_NAMES,
        register=register,
        workers=[*workers, *audit.workers],
        http_routes=[_key_set_route(parts.key_ring, settings), audit.keys_route],
        bookkeeping_tables=BOOKKEEPING_TABLES,
        drain=[parts.threads.close],
        key_source=parts.key_ring,
        revocation_source=own_revocations,
    )


async def _prepare(runtime: Runtime[AuthSettings], parts: Parts) -> None:
    """Make sure that there are keys to sign with, and somebody who can log in."""
    await parts.rotate_keys.ensure_first()
    await parts.key_ring.load()
    await make_signer(runtime.database, parts.vault, utc_now).ensure_key()
    email, password = parts.settings.bootstrap_email, parts.settings.bootstrap_password
    if email is not None and password is not None:
        bootstrap = BootstrapMaster(parts.store, parts.passwords, utc_now)
        await bootstrap(email, password.get_secret_value())


def _key_set_route(key_ring: KeyRing, settings: AuthSettings) -> web.RouteDef:
    headers = {"cache-control": f"public, max-age={settings.jwks_refresh_interval_s}"}

    async def serve(_: web.Request) -> web.Response:
        return web.Response(
            body=key_ring.json_web_key_set(),
            content_type=codec.JWKS_CONTENT_TYPE,
            headers=headers,
        )

    return web.get(JWKS_PATH, serve)
