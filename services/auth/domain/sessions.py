"""Sessions of people and the refresh tokens that keep them open."""

import hashlib
import secrets
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.auth.domain.credentials import Credential
from services.auth.domain.tokens import Lifetimes
from services.chassis.identity import Role

_REFRESH_TOKEN_SIZE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody is logged in somewhere."""

    session_id: uuid.UUID
    user_id: uuid.UUID
    address_digest: bytes
    opened_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether the session may go on."""
        return self.ended_at is None and now < self.expires_at

    def used(self, now: datetime) -> "Session":
        """Return the session after a refresh."""
        return replace(self, last_used_at=now)

    def ended(self, now: datetime) -> "Session":
        """Return the session after its end."""
        return replace(self, ended_at=now)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One link in a session's chain of refresh tokens; only its digest is kept."""

    digest: bytes
    session_id: uuid.UUID
    expires_at: datetime
    used_at: datetime | None = None

    def used(self, now: datetime) -> "RefreshToken":
        """Return the token once it is spent."""
        return replace(self, used_at=now)


@dataclass(frozen=True, slots=True)
class SessionGrant:
    """What a person gets who has logged in or stayed logged in."""

    access_token: str = field(repr=False)
    expires_in_s: int
    refresh_token: str = field(repr=False)
    user_id: uuid.UUID
    role: Role
    company_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """How many sessions are open and how many people use one."""

    open_sessions: int
    active_users: int


def new_session(
    session_id: uuid.UUID,
    credential: Credential,
    address_digest: bytes,
    lifetimes: Lifetimes,
    now: datetime,
) -> Session:
    """Begin a session."""
    return Session(
        session_id=session_id,
        user_id=credential.user_id,
        address_digest=address_digest,
        opened_at=now,
        last_used_at=now,
        expires_at=now + lifetimes.session,
    )


def new_refresh_token() -> str:
    """Make an opaque token of 256 random bits."""
    return secrets.token_urlsafe(_REFRESH_TOKEN_SIZE_BYTES)


def refresh_token_digest(token: str) -> bytes:
    """Digest a token as it is stored: nobody guesses 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()
