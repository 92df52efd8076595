"""What tokens claim, how long they live, and how they are ended early."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from services.auth.domain.credentials import Credential
from services.chassis.identity import Restriction

AUDIENCE_API = "dashtrack-api"
AUDIENCE_API_KEY = "dashtrack-api-key"
AUDIENCE_DEVICE = "dashtrack-device"
AUDIENCE_SERVICE = "dashtrack-service"
SERVICE_ROLE = "service"

REVOCATIONS_PER_PAGE_MAX = 1000
_CLOCK_SKEW = timedelta(minutes=1)

Claims = Mapping[str, str | int | float | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long each thing that auth hands out is good for."""

    access_token: timedelta
    service_token: timedelta
    device_token: timedelta
    refresh_token: timedelta
    """From one refresh to the next: a session that is not used for so long is over."""
    session: timedelta
    """From login: however much a session is used, its owner logs in again after this."""
    invitation: timedelta
    password_reset: timedelta

    @property
    def longest_token(self) -> timedelta:
        """How long a signed token may be around, with room for clocks that differ."""
        longest = max(self.access_token, self.service_token, self.device_token)
        return longest + _CLOCK_SKEW

    @property
    def session_revocation(self) -> timedelta:
        """How long the end of a session must be remembered by who verifies tokens."""
        return self.access_token + _CLOCK_SKEW


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A signed token and when it stops working."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Revocation:
    """Ends tokens of one session, or all of a subject's or a company's issued up to a moment."""

    session_id: uuid.UUID | None
    subject: uuid.UUID | None
    revoked_at: datetime
    expires_at: datetime
    company_id: uuid.UUID | None = None

    @classmethod
    def of_session(cls, session_id: uuid.UUID, lifetimes: Lifetimes, now: datetime) -> Self:
        """End the tokens of a session."""
        return cls(session_id, None, now, now + lifetimes.session_revocation)

    @classmethod
    def of_subject(cls, subject: uuid.UUID, lifetimes: Lifetimes, now: datetime) -> Self:
        """End the tokens of a person or a device that were issued up to now."""
        return cls(None, subject, now, now + lifetimes.longest_token)

    @classmethod
    def of_api_key(cls, key_id: uuid.UUID, lifetimes: Lifetimes, now: datetime) -> Self:
        """End the tokens of a key that has ended for good.

        There is no later one that has to be told from them: those that a clock ahead of ours has
        issued "later" end with the others.
        """
        until = now + lifetimes.session_revocation
        return cls(None, key_id, until, until)

    @classmethod
    def of_company(cls, company_id: uuid.UUID, lifetimes: Lifetimes, now: datetime) -> Self:
        """End the tokens of a company's people and devices that were issued up to now."""
        return cls(None, None, now, now + lifetimes.longest_token, company_id)


@dataclass(frozen=True, slots=True)
class RevocationPage:
    """Revocations in the order in which they were committed."""

    revocations: Sequence[Revocation]
    next_position: int
    more: bool


def user_claims(
    credential: Credential, session_id: uuid.UUID, restriction: Restriction | None
) -> Claims:
    """Say what a person's access token says of them."""
    claims = {
        "aud": AUDIENCE_API,
        "sub": str(credential.user_id),
        "sid": str(session_id),
        "role": credential.role.value,
    }
    if credential.company_id is not None:
        claims["company_id"] = str(credential.company_id)
    if restriction is not None:
        claims["restriction"] = restriction.value
    return claims


def device_claims(device_id: uuid.UUID, company_id: uuid.UUID) -> Claims:
    """Say what a device's token says of it."""
    return {"aud": AUDIENCE_DEVICE, "sub": str(device_id), "company_id": str(company_id)}


def service_claims(service: str) -> Claims:
    """Say what a service's token says of it."""
    return {"aud": AUDIENCE_SERVICE, "sub": service, "role": SERVICE_ROLE}


def registered_claims(
    issuer: str, token_id: uuid.UUID, now: datetime, lifetime: timedelta
) -> Mapping[str, str | int | float]:
    """Say what every token says of itself (RFC 7519)."""
    # With its fraction: a token that is issued after a revocation must not look older than it.
    issued_at_s = now.timestamp()
    expires_at_s = int(issued_at_s + lifetime.total_seconds())
    return {"iss": issuer, "jti": str(token_id), "iat": issued_at_s, "exp": expires_at_s}
