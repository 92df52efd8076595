"""Constructs what people ask of auth: logging in, passwords, second factors, addresses."""

from services.auth.adapters.qr_codes import qr_svg
from services.auth.adapters.recording import PrometheusRecorder
from services.auth.app.parts import Parts, utc_now
from services.auth.grpc_api import AuthUseCases
from services.auth.grpc_api.emails import EmailUseCases
from services.auth.ports.emails import AddressBook
from services.auth.usecases.authenticators import (
    ConfirmTotp,
    DisableTotp,
    EnrollTotp,
    RegenerateBackupCodes,
)
from services.auth.usecases.email_changes import (
    CarryOut,
    CarryOutEmailChanges,
    ConfirmEmail,
    EmailCodes,
    RequestEmailChange,
    RequestEmailVerification,
)
from services.auth.usecases.own_sessions import ListSessions, LogoutEverywhere, RevokeSession
from services.auth.usecases.passwords import AcceptInvitation, ChangePassword
from services.auth.usecases.resets import RequestPasswordReset, ResetPassword
from services.auth.usecases.sessions import Login, Logout, RefreshSession
from services.auth.usecases.throttling import LoginThrottle
from services.auth.workers import address_carrier


class Addresses:
    """What carries out that people want other addresses."""

    def __init__(self, parts: Parts, book: AddressBook) -> None:
        self.carry_out = CarryOut(parts.store, book, parts.opener, parts.carrier.wake)
        self.carrier = address_carrier(
            CarryOutEmailChanges(parts.store, self.carry_out),
            parts.settings.mail_poll_interval_s,
        )


def auth_usecases(parts: Parts, recorder: PrometheusRecorder, addresses: Addresses) -> AuthUseCases:
    """Construct what people do about how they log in."""
    store, opener, hint = parts.store, parts.opener, parts.hint
    throttle, check, factors = parts.throttle, parts.check_password, parts.factors
    passwords, wake = parts.passwords, parts.carrier.wake
    prove = parts.proving(recorder)
    resets = LoginThrottle(parts.settings.reset_limits, parts.vault.digest, utc_now, "reset-")
    return AuthUseCases(
        login=Login(store, throttle, parts.hasher, factors, opener, hint, recorder),
        refresh_session=RefreshSession(store, opener, hint, recorder, wake),
        logout=Logout(store, opener, hint),
        logout_everywhere=LogoutEverywhere(store, opener, hint),
        list_sessions=ListSessions(store, opener),
        revoke_session=RevokeSession(store, opener, hint),
        accept_invitation=AcceptInvitation(
            store, throttle, passwords, opener, recorder, addresses.carrier.wake
        ),
        change_password=ChangePassword(store, check, passwords, opener, hint, recorder, wake),
        request_password_reset=RequestPasswordReset(store, resets, opener, recorder, wake),
        reset_password=ResetPassword(
            store, throttle, passwords, parts.reset_codes, hint, recorder, wake
        ),
        enroll_totp=EnrollTotp(store, throttle, check, recorder),
        confirm_totp=ConfirmTotp(store, factors, opener, recorder, wake),
        disable_totp=DisableTotp(store, prove, opener, wake),
        regenerate_backup_codes=RegenerateBackupCodes(prove, factors),
        draw_qr=qr_svg,
        key_set=parts.key_ring.json_web_key_set,
    )


def email_usecases(
    parts: Parts, recorder: PrometheusRecorder, addresses: Addresses
) -> EmailUseCases:
    """Construct what people do about their addresses."""
    store, wake = parts.store, parts.carrier.wake
    codes = EmailCodes(parts.opener, parts.vault.digest)
    throttle = LoginThrottle(parts.settings.reset_limits, parts.vault.digest, utc_now, "email-")
    return EmailUseCases(
        request_change=RequestEmailChange(
            store, parts.check_password, parts.throttle, throttle, codes, recorder, wake
        ),
        request_verification=RequestEmailVerification(store, throttle, codes, wake),
        confirm=ConfirmEmail(store, codes, addresses.carry_out, recorder),
    )
