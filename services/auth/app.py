"""The composition root: the only place that constructs the service's adapters."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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
from services.auth.adapters.argon2_hasher import Argon2PasswordHasher
from services.auth.adapters.bounded_threads import BoundedThreads
from services.auth.adapters.hints import NatsRevocationHint
from services.auth.adapters.key_ring import Ed25519KeyGenerator, KeyRing
from services.auth.adapters.maildir import MaildirMailer
from services.auth.adapters.qr_codes import qr_svg
from services.auth.adapters.recording import PrometheusRecorder
from services.auth.adapters.smtp import SmtpMailer
from services.auth.adapters.token_examiner import examine_token
from services.auth.adapters.zxcvbn_estimator import ZxcvbnPasswordStrength
from services.auth.audit_app import BOOKKEEPING_TABLES, build_audit_log
from services.auth.clients import GrpcAddressBook
from services.auth.consumers import companies_consumer, people_consumer
from services.auth.grpc_api import (
    AUTH_SERVICE,
    TOKEN_SERVICE,
    AuthServicer,
    AuthUseCases,
    TokenServicer,
    TokenUseCases,
)
from services.auth.grpc_api.api_keys import (
    API_KEY_SERVICE,
    INTROSPECTION_SERVICE,
    ApiKeyServicer,
    ApiKeyUseCases,
    IntrospectionServicer,
)
from services.auth.grpc_api.audit import AUDIT_SERVICE
from services.auth.grpc_api.emails import EMAIL_SERVICE, EmailServicer, EmailUseCases
from services.auth.grpc_api.figures import SECURITY_SERVICE, SecurityServicer
from services.auth.ports import Mailer
from services.auth.settings import AuthSettings
from services.auth.storage.figures import PostgresFigureReader
from services.auth.storage.store import PostgresStore
from services.auth.storage.vault import Vault
from services.auth.usecases.api_keys import CreateApiKey, ListApiKeys, RevokeApiKey
from services.auth.usecases.audit_sealing import EraseAuditPersonalData
from services.auth.usecases.authenticators import (
    ConfirmTotp,
    DisableTotp,
    EnrollTotp,
    RegenerateBackupCodes,
)
from services.auth.usecases.companies import (
    ApplyCompanyChange,
    EndClosedSessions,
    EraseCompanies,
)
from services.auth.usecases.email_changes import (
    CarryOut,
    CarryOutEmailChanges,
    ConfirmEmail,
    EmailCodes,
    RequestEmailChange,
    RequestEmailVerification,
)
from services.auth.usecases.figures import GetSecurityFigures
from services.auth.usecases.introspection import IntrospectToken
from services.auth.usecases.key_exchange import ExchangeApiKey
from services.auth.usecases.new_passwords import NewPasswords
from services.auth.usecases.opening import SessionOpener
from services.auth.usecases.own_sessions import ListSessions, LogoutEverywhere, RevokeSession
from services.auth.usecases.passwords import AcceptInvitation, ChangePassword, PasswordCheck
from services.auth.usecases.people import ApplyPersonChange, BootstrapMaster
from services.auth.usecases.resets import (
    AnswerResetRequests,
    RequestPasswordReset,
    ResetCodes,
    ResetPassword,
)
from services.auth.usecases.second_factors import SecondFactors
from services.auth.usecases.sessions import Login, Logout, RefreshSession
from services.auth.usecases.throttling import LoginThrottle
from services.auth.usecases.tokens import (
    IssueDeviceToken,
    IssueServiceToken,
    ListRevocations,
    RevokeSubject,
)
from services.auth.usecases.upkeep import CountSessions, Prune, RotateKeys, SendMail
from services.auth.workers import AddressCarrier, CompanySweep, MailCarrier, Upkeep
from services.chassis.application import App, Runtime
from services.chassis.database import Database
from services.chassis.ids import new_id
from services.chassis.outbox import OutboxRelay, inbox_pruner
from services.chassis.revocations import RevocationPage
from services.chassis.workers import Worker

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


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the use cases stand on."""

    store: PostgresStore
    throttle: LoginThrottle
    reset_throttle: LoginThrottle
    key_throttle: LoginThrottle
    email_throttle: LoginThrottle
    email_codes: EmailCodes
    carry_out: CarryOut
    address_carrier: AddressCarrier
    codes: ResetCodes
    factors: SecondFactors
    threads: BoundedThreads
    hasher: Argon2PasswordHasher
    passwords: NewPasswords
    key_ring: KeyRing
    opener: SessionOpener
    hint: NatsRevocationHint
    rotate_keys: RotateKeys
    carrier: MailCarrier


async def build(runtime: Runtime[AuthSettings]) -> App:
    """Build the service on its run-time."""
    settings = runtime.settings
    parts = assemble(runtime)
    await parts.rotate_keys.ensure_first()
    await parts.key_ring.load()
    if settings.bootstrap_email is not None and settings.bootstrap_password is not None:
        bootstrap = BootstrapMaster(parts.store, parts.passwords, utc_now)
        await bootstrap(settings.bootstrap_email, settings.bootstrap_password.get_secret_value())
    # Last, since a build that met an absent database is tried again, and series are made once.
    recorder = PrometheusRecorder(runtime.metrics)
    auth = _auth_usecases(parts, recorder)
    tokens = _token_usecases(parts, recorder, settings)
    api_keys = _api_key_usecases(parts, recorder, settings)
    emails = _email_usecases(parts, recorder)
    audit = build_audit_log(runtime, make_vault(settings), utc_now)
    await audit.signer.ensure_key()

    reader = PostgresFigureReader(runtime.database)
    figures = GetSecurityFigures(reader, settings.lifetimes, utc_now)

    def register(server: grpc.aio.Server) -> None:
        add_AuthServiceServicer_to_server(AuthServicer(auth, settings.proxies_trusted), server)
        add_TokenServiceServicer_to_server(TokenServicer(tokens), server)
        add_SecurityServiceServicer_to_server(SecurityServicer(figures), server)
        add_ApiKeyServiceServicer_to_server(
            ApiKeyServicer(api_keys, settings.proxies_trusted), server
        )
        add_EmailServiceServicer_to_server(EmailServicer(emails, settings.proxies_trusted), server)
        add_IntrospectionServiceServicer_to_server(
            IntrospectionServicer(IntrospectToken(examine_token)), server
        )
        add_AuditServiceServicer_to_server(audit.servicer, server)

    async def own_revocations(position: str) -> RevocationPage:
        page = await tokens.list_revocations(codec.decode_position(position))
        return codec.pulled_page(page)

    return App(
        service_names=_SERVICE_NAMES,
        register=register,
        workers=[*_workers(runtime, parts, recorder, audit.erase), *audit.workers],
        http_routes=[_key_set_route(parts.key_ring, settings), audit.keys_route],
        bookkeeping_tables=BOOKKEEPING_TABLES,
        drain=[parts.threads.close],
        key_source=parts.key_ring,
        revocation_source=own_revocations,
    )


def assemble(runtime: Runtime[AuthSettings]) -> Parts:
    """Construct the adapters."""
    settings = runtime.settings
    vault = make_vault(settings)
    store = PostgresStore(runtime.database, vault)
    key_ring = KeyRing(store, utc_now, new_id, settings.token_issuer)
    opener = SessionOpener(key_ring, settings.lifetimes, utc_now, new_id)
    codes = ResetCodes(opener, vault.digest)
    threads = BoundedThreads(settings.password_threads, settings.password_queue_max)
    hasher = Argon2PasswordHasher(settings.argon2_options, threads)
    carrier = MailCarrier(
        AnswerResetRequests(store, codes),
        SendMail(store, make_mailer(settings), utc_now),
        settings.mail_poll_interval_s,
    )
    book = GrpcAddressBook(runtime.channels.channel(settings.users_target))
    carry_out = CarryOut(store, book, opener, carrier.wake)
    return Parts(
        store=store,
        throttle=LoginThrottle(settings.login_limits, vault.digest, utc_now),
        reset_throttle=LoginThrottle(settings.reset_limits, vault.digest, utc_now, "reset-"),
        email_throttle=LoginThrottle(settings.reset_limits, vault.digest, utc_now, "email-"),
        email_codes=EmailCodes(opener, vault.digest),
        carry_out=carry_out,
        address_carrier=AddressCarrier(
            CarryOutEmailChanges(store, carry_out), settings.mail_poll_interval_s
        ),
        key_throttle=LoginThrottle(settings.login_limits, vault.digest, utc_now, "api-key-"),
        codes=codes,
        factors=SecondFactors(vault.digest, utc_now),
        threads=threads,
        hasher=hasher,
        passwords=NewPasswords(
            ZxcvbnPasswordStrength(threads), settings.password_score_min, hasher
        ),
        key_ring=key_ring,
        opener=opener,
        hint=NatsRevocationHint(runtime.messaging),
        rotate_keys=make_key_rotation(runtime.database, settings),
        carrier=carrier,
    )


def make_key_rotation(database: Database, settings: AuthSettings) -> RotateKeys:
    """Construct what the command line needs to rotate keys beside a running service."""
    store = PostgresStore(database, make_vault(settings))
    return RotateKeys(store, Ed25519KeyGenerator(), settings.rotation, utc_now)


def make_mailer(settings: AuthSettings) -> Mailer:
    """Construct what delivers mail: to a server if there is one, else into a folder."""
    target = settings.mail_target
    if isinstance(target, Path):
        return MaildirMailer(target, settings.mail_sender, utc_now)
    return SmtpMailer(target, settings.mail_sender, utc_now)


def make_vault(settings: AuthSettings) -> Vault:
    """Construct the encryption at rest."""
    return Vault(settings.encryption_key.get_secret_value())


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def _auth_usecases(parts: Parts, recorder: PrometheusRecorder) -> AuthUseCases:
    store, opener, hasher = parts.store, parts.opener, parts.hasher
    throttle, hint, factors, passwords = (
        parts.throttle,
        parts.hint,
        parts.factors,
        parts.passwords,
    )
    check = PasswordCheck(store, throttle, hasher)
    return AuthUseCases(
        login=Login(store, throttle, hasher, factors, opener, hint, recorder),
        refresh_session=RefreshSession(store, opener, hint, recorder, parts.carrier.wake),
        logout=Logout(store, opener, hint),
        logout_everywhere=LogoutEverywhere(store, opener, hint),
        list_sessions=ListSessions(store, opener),
        revoke_session=RevokeSession(store, opener, hint),
        accept_invitation=AcceptInvitation(
            store, throttle, passwords, opener, recorder, parts.address_carrier.wake
        ),
        change_password=ChangePassword(store, throttle, check, passwords, opener, hint, recorder),
        request_password_reset=RequestPasswordReset(
            store, parts.reset_throttle, opener, recorder, parts.carrier.wake
        ),
        reset_password=ResetPassword(
            store, throttle, passwords, parts.codes, hint, recorder, parts.carrier.wake
        ),
        enroll_totp=EnrollTotp(store, throttle, check, recorder),
        confirm_totp=ConfirmTotp(store, factors, recorder),
        disable_totp=DisableTotp(store, throttle, check, factors, recorder),
        regenerate_backup_codes=RegenerateBackupCodes(store, throttle, check, factors, recorder),
        draw_qr=qr_svg,
        key_set=parts.key_ring.json_web_key_set,
    )


def _token_usecases(
    parts: Parts, recorder: PrometheusRecorder, settings: AuthSettings
) -> TokenUseCases:
    lifetimes = settings.lifetimes
    return TokenUseCases(
        issue_service_token=IssueServiceToken(
            settings.plain_service_secrets, parts.key_ring, lifetimes, recorder
        ),
        issue_device_token=IssueDeviceToken(parts.store, parts.key_ring, lifetimes),
        revoke_subject=RevokeSubject(parts.store, lifetimes, utc_now, parts.hint),
        list_revocations=ListRevocations(parts.store, utc_now),
    )


def _api_key_usecases(
    parts: Parts, recorder: PrometheusRecorder, settings: AuthSettings
) -> ApiKeyUseCases:
    store, opener = parts.store, parts.opener
    return ApiKeyUseCases(
        create=CreateApiKey(store, opener, settings.api_key_policy),
        list=ListApiKeys(store),
        revoke=RevokeApiKey(store, opener, parts.hint),
        exchange=ExchangeApiKey(store, parts.key_throttle, opener, recorder),
    )


def _email_usecases(parts: Parts, recorder: PrometheusRecorder) -> EmailUseCases:
    store, throttle, wake = parts.store, parts.throttle, parts.carrier.wake
    check = PasswordCheck(store, throttle, parts.hasher)
    codes = parts.email_codes
    return EmailUseCases(
        request_change=RequestEmailChange(
            store, check, throttle, parts.email_throttle, codes, recorder, wake
        ),
        request_verification=RequestEmailVerification(store, parts.email_throttle, codes, wake),
        confirm=ConfirmEmail(store, codes, parts.carry_out, recorder),
    )


def _workers(
    runtime: Runtime[AuthSettings],
    parts: Parts,
    recorder: PrometheusRecorder,
    erase_log: EraseAuditPersonalData,
) -> list[Worker]:
    settings, lifetimes = runtime.settings, runtime.settings.lifetimes
    upkeep = Upkeep(
        rotate_keys=parts.rotate_keys,
        key_ring=parts.key_ring,
        prune=Prune(parts.store, lifetimes, utc_now),
        count_sessions=CountSessions(parts.store, lifetimes, utc_now),
        recorder=recorder,
        interval_s=settings.upkeep_interval_s,
    )
    sweep = CompanySweep(
        EndClosedSessions(parts.store, parts.opener, parts.hint),
        EraseCompanies(parts.store, utc_now, erase_log),
        settings.company_poll_interval_s,
    )
    follow_person = ApplyPersonChange(parts.store, parts.opener, parts.hint)
    follow_company = ApplyCompanyChange(parts.store, lifetimes, utc_now, parts.hint)
    return [
        people_consumer(runtime.messaging, follow_person, parts.carrier.wake),
        companies_consumer(runtime.messaging, follow_company, sweep.wake),
        sweep.worker,
        OutboxRelay(runtime.database, runtime.messaging).worker,
        parts.carrier.worker,
        parts.address_carrier.worker,
        Worker("upkeep", upkeep.run),
        inbox_pruner(runtime.database),
    ]


def _key_set_route(key_ring: KeyRing, settings: AuthSettings) -> web.RouteDef:
    headers = {"cache-control": f"public, max-age={settings.jwks_refresh_interval_s}"}

    async def serve(_: web.Request) -> web.Response:
        return web.Response(
            body=key_ring.json_web_key_set(),
            content_type=codec.JWKS_CONTENT_TYPE,
            headers=headers,
        )

    return web.get(JWKS_PATH, serve)
