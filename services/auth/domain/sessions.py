"""Sessions of people and the refresh tokens that keep them open."""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.auth.domain.credentials import Credential
from services.auth.domain.tokens import Lifetimes, Revocation
from services.chassis.identity import Restriction, Role

_REFRESH_TOKEN_SIZE_BYTES = 32
_USER_AGENT_LENGTH_MAX = 256

SUBJECT_SESSIONS_REVOKED_MAX = 1000
"""With a subject, so many of its sessions are revoked too, for tokens that a clock ahead of ours
has issued "later"; beyond that the moment of the subject's revocation has to do."""

UNKNOWN_ADDRESS = "unknown"
"""What stands for the address of a call that doesn't show one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a call comes from: what the owner of a session recognises it by."""

    address: str = field(repr=False)
    user_agent: str = field(default="", repr=False)

    @classmethod
    def of(cls, address: str, user_agent: str) -> "Origin":
        """Keep of what a program says of itself what can be shown."""
        printable = "".join(filter(str.isprintable, user_agent))
        return cls(address, printable[:_USER_AGENT_LENGTH_MAX])


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
    origin: Origin | None = None
    """Where it was last used from; None if that was before this was kept."""

    def is_live(self, now: datetime) -> bool:
        """Whether the session may go on."""
        return self.ended_at is None and now < self.expires_at

    def used(self, origin: Origin, now: datetime) -> "Session":
        """Return the session after a refresh."""
        return replace(self, last_used_at=now, origin=origin)

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
    restriction: Restriction | None = None
    """What the person must do before the access token opens everything."""


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Some of a person's open sessions, and where the next ones begin."""

    sessions: Sequence[Session]
    next_before: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """How many sessions are open and how many people use one."""

    open_sessions: int
    active_users: int


def new_session(
    session_id: uuid.UUID,
    credential: Credential,
    address_digest: bytes,
    origin: Origin,
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
        origin=origin,
    )


def displaced(
    sessions: Sequence[Session], sessions_max: int, lifetimes: Lifetimes, now: datetime
) -> Sequence[Session]:
    """Return which of a person's sessions give way to another: those used longest ago."""
    used_since = now - lifetimes.refresh_token
    live = [
        session
        for session in sessions
        if session.is_live(now) and session.last_used_at > used_since
    ]
    surplus = len(live) + 1 - sessions_max
    if surplus <= 0:
        return []
    return sorted(live, key=lambda session: (session.last_used_at, session.session_id))[:surplus]


def revoked_with(
    sessions: Sequence[Session], lifetimes: Lifetimes, now: datetime
) -> list[Revocation]:
    """Revoke the tokens of sessions that may still work, those of the last used first."""
    used_since = now - lifetimes.session_revocation
    recent = [session for session in sessions if session.last_used_at > used_since]
    recent.sort(key=lambda session: session.last_used_at, reverse=True)
    return [Revocation.of_session(session.session_id, lifetimes, now) for session in recent]


def new_refresh_token() -> str:
    """Make an opaque token of 256 random bits."""
    return secrets.token_urlsafe(_REFRESH_TOKEN_SIZE_BYTES)


def refresh_token_digest(token: str) -> bytes:
    """Digest a token as it is stored: nobody guesses 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()
