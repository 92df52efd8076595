"""Auth between protobuf and the domain; pure functions, the only place that knows both."""

import re
import uuid
from datetime import datetime

from dashtrack.auth.internal.v1 import token_service_pb2
from dashtrack.auth.v1 import auth_service_pb2, authenticator_pb2
from dashtrack.companies.v1 import company_events_pb2, company_pb2
from dashtrack.users.v1 import user_events_pb2
from google.api.httpbody_pb2 import HttpBody

from services.auth.domain.companies import CompanyChange, CompanyState, SecurityPolicy
from services.auth.domain.credentials import Language, PersonChange
from services.auth.domain.devices import device_label
from services.auth.domain.sessions import (
    UNKNOWN_ADDRESS,
    Session,
    SessionGrant,
    SessionPage,
)
from services.auth.domain.tokens import IssuedToken, Revocation, RevocationPage
from services.auth.domain.totp import TotpEnrollment
from services.chassis.errors import invalid_field
from services.chassis.fields import ROLE_NUMBERS, ROLES, encode_restriction, encode_time
from services.chassis.identity import Role
from services.chassis.page_tokens import encode_next_page
from services.chassis.revocations import Revocation as PulledRevocation
from services.chassis.revocations import RevocationPage as PulledPage

PAGE_SIZE_DEFAULT = 50
JWKS_CONTENT_TYPE = "application/jwk-set+json"

_TOKEN_TYPE = "Bearer"  # noqa: S105 - what kind of token it is
_EMAIL = re.compile(r"[^@\s\0]+@[^@\s\0]+")
_LANGUAGES = {language.value: language for language in Language}
_COMPANY_STATES = {
    company_pb2.Company.State.Value(f"STATE_{state.name}"): state for state in CompanyState
}
_SERVICE = "auth"
_POSITION = re.compile(r"[0-9]{1,18}")


def encode_session(grant: SessionGrant) -> auth_service_pb2.Session:
    """Write what somebody gets who is logged in."""
    return auth_service_pb2.Session(
        access_token=grant.access_token,
        expires_in_s=grant.expires_in_s,
        refresh_token=grant.refresh_token,
        token_type=_TOKEN_TYPE,
        user_id=str(grant.user_id),
        role=ROLE_NUMBERS[grant.role],
        company_id=str(grant.company_id or ""),
        restriction=encode_restriction(grant.restriction),
    )


def encode_page(
    page: SessionPage, request: auth_service_pb2.ListSessionsRequest, current: uuid.UUID
) -> auth_service_pb2.ListSessionsResponse:
    """Write a page of somebody's sessions, and the token that gets the next one."""
    return auth_service_pb2.ListSessionsResponse(
        sessions=[_encode_open_session(session, current) for session in page.sessions],
        next_page_token=encode_next_page(page.next_before, request),
    )


def _encode_open_session(session: Session, current: uuid.UUID) -> auth_service_pb2.OpenSession:
    origin = session.origin
    return auth_service_pb2.OpenSession(
        session_id=str(session.session_id),
        device=device_label(origin.user_agent) if origin else "",
        address=origin.address if origin and origin.address != UNKNOWN_ADDRESS else "",
        create_time=encode_time(session.opened_at),
        last_use_time=encode_time(session.last_used_at),
        current=session.session_id == current,
    )


def encode_enrollment(enrollment: TotpEnrollment, qr_svg: str) -> authenticator_pb2.TotpEnrollment:
    """Write what an authenticator is told."""
    return authenticator_pb2.TotpEnrollment(
        otpauth_uri=enrollment.uri, qr_svg=qr_svg, secret=enrollment.secret
    )


def encode_key_set(document: bytes) -> HttpBody:
    """Write the key set as an HTTP body."""
    return HttpBody(content_type=JWKS_CONTENT_TYPE, data=document)


def encode_issued_token(issued: IssuedToken) -> token_service_pb2.IssuedToken:
    """Write a signed token."""
    return token_service_pb2.IssuedToken(
        token=issued.token, expire_time=encode_time(issued.expires_at)
    )


def decode_position(after: str) -> int:
    """Read where a list of revocations goes on.

    Raises:
        InvalidArgument: it isn't a position.
    """
    if not after:
        return 0
    if not _POSITION.fullmatch(after):
        raise invalid_field("after", "This is not a `next_position` of this list.")
    return int(after)


def encode_revocations(page: RevocationPage) -> token_service_pb2.ListRevocationsResponse:
    """Write a page of revocations."""
    return token_service_pb2.ListRevocationsResponse(
        revocations=[_encode_revocation(revocation) for revocation in page.revocations],
        next_position=str(page.next_position),
        more=page.more,
    )


def pulled_page(page: RevocationPage) -> PulledPage:
    """Write a page of revocations as who verifies tokens takes it in."""
    return PulledPage(
        revocations=[
            PulledRevocation(
                session_id=revocation.session_id,
                subject=str(revocation.subject) if revocation.subject else None,
                revoked_at_s=revocation.revoked_at.timestamp(),
                expires_at_s=revocation.expires_at.timestamp(),
                company_id=revocation.company_id,
            )
            for revocation in page.revocations
        ],
        next_position=str(page.next_position),
        more=page.more,
    )


def decode_user_changed(payload: bytes) -> PersonChange:
    """Read how a person stands.

    Raises:
        ValueError: it is no such event, or of a version of the contract that isn't known here;
            it stays in the stream for a replica that knows it.
    """
    event = user_events_pb2.UserChanged.FromString(payload)
    role = ROLES.get(event.role)
    company_id = uuid.UUID(event.company_id) if event.company_id else None
    if role is None or (role is Role.MASTER) != (company_id is None):
        raise ValueError("the event's role and company don't go together")
    if not event.purged and not _EMAIL.fullmatch(event.email):
        raise ValueError("the event names no e-mail address")
    return PersonChange(
        event_id=uuid.UUID(event.event_id),
        user_id=uuid.UUID(event.user_id),
        company_id=company_id,
        email=event.email,
        display_name=event.display_name,
        role=role,
        active=event.active,
        version=event.version,
        purged=event.purged,
        invite=event.invite,
        language=_LANGUAGES.get(event.language_code, Language.ENGLISH),
    )


def decode_company_changed(payload: bytes) -> CompanyChange:
    """Read how a company stands.

    Raises:
        ValueError: it is no such event, or of a version of the contract that isn't known here;
            it stays in the stream for a replica that knows it.
    """
    event = company_events_pb2.CompanyChanged.FromString(payload)
    state = _COMPANY_STATES.get(event.state)
    security = event.security
    if state is None or not ROLES.keys() >= set(security.two_factor_roles):
        raise ValueError("the event names no known state, or an unknown role")
    return CompanyChange(
        event_id=uuid.UUID(event.event_id),
        company_id=uuid.UUID(event.company_id),
        version=event.version,
        state=state,
        policy=SecurityPolicy(
            sessions_per_user_max=security.sessions_per_user_max,
            two_factor_roles=frozenset(ROLES[role] for role in security.two_factor_roles),
        ),
    )


def encode_company_erased(event_id: uuid.UUID, company_id: uuid.UUID, erased_at: datetime) -> bytes:
    """Write that nothing is left of a company's people."""
    return company_events_pb2.CompanyErased(
        event_id=str(event_id),
        company_id=str(company_id),
        service=_SERVICE,
        occur_time=encode_time(erased_at),
    ).SerializeToString()


def _encode_revocation(revocation: Revocation) -> token_service_pb2.Revocation:
    message = token_service_pb2.Revocation(
        revoke_time=encode_time(revocation.revoked_at),
        expire_time=encode_time(revocation.expires_at),
    )
    if revocation.session_id is not None:
        message.session_id = str(revocation.session_id)
    elif revocation.company_id is not None:
        message.company_id = str(revocation.company_id)
    else:
        message.subject = str(revocation.subject)
    return message
