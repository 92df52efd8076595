"""What keeps people logged in, what ends that, and what keeps others from it."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.auth.domain.sessions import RefreshToken, Session, SessionCounts
from services.auth.domain.tokens import Revocation, RevocationPage


class SessionRepository(Protocol):
    """Sessions and their refresh tokens."""

    async def add(self, session: Session, token: RefreshToken) -> None:
        """Store a session with its first refresh token."""

    async def lock(self, session_id: uuid.UUID) -> Session | None:
        """Return a session and keep it from changing until the transaction ends."""

    async def lock_by_token(self, digest: bytes) -> tuple[Session, RefreshToken] | None:
        """Return the session that a refresh token belongs to, locked, and the token as it is now.

        Of two transactions with the same token, the second sees what the first has committed.
        """

    async def lock_open(self, user_id: uuid.UUID) -> Sequence[Session]:
        """Return the sessions of a person that have not been ended, all locked."""

    async def lock_open_of(
        self, company_id: uuid.UUID, opened_until: datetime | None, limit: int
    ) -> Sequence[Session]:
        """Return open sessions of a company's people, all or those begun by a moment, locked."""

    async def list_live(
        self,
        user_id: uuid.UUID,
        before: uuid.UUID | None,
        limit: int,
        used_since: datetime,
        now: datetime,
    ) -> Sequence[Session]:
        """Return a person's sessions that can go on, the highest id (the newest) first.

        Those that weren't used since a moment can't; `before` is the id that a page ended with.
        """

    async def count_open(self, user_id: uuid.UUID) -> int:
        """Count the sessions of a person that have not been ended."""

    async def end(self, sessions: Sequence[Session], now: datetime) -> None:
        """End sessions that are locked, however many."""

    async def save(self, session: Session) -> None:
        """Store a changed session."""

    async def rotate(self, spent: RefreshToken, fresh: RefreshToken) -> None:
        """Mark a token as used and store its successor."""

    async def was_opened_from(self, user_id: uuid.UUID, address_digest: bytes) -> bool:
        """Tell whether the person has logged in from an address, as far back as sessions go."""

    async def count(
        self, used_since: datetime, active_since: datetime, now: datetime
    ) -> SessionCounts:
        """Count open sessions used since one moment, and people who used one since another."""

    async def prune(self, used_before: datetime, now: datetime) -> None:
        """Forget refresh tokens that have expired and sessions that can't go on."""


class RevocationRepository(Protocol):
    """The log of revocations."""

    async def append(self, revocations: Sequence[Revocation]) -> None:
        """Add to the log: positions follow the order of commits, so a reader skips none.

        This comes last in a transaction, since others wait for it.
        """

    async def list_after(self, position: int, limit: int, now: datetime) -> RevocationPage:
        """Return what was revoked after a position and still matters."""

    async def prune(self, now: datetime) -> None:
        """Forget revocations that no longer matter."""


class AttemptRepository(Protocol):
    """The buckets that throttle logins; see `domain.throttling`."""

    async def lock(self, keys: Sequence[bytes], now: datetime) -> Mapping[bytes, datetime]:
        """Return the buckets and keep them from changing until the transaction ends.

        A bucket that doesn't exist yet is made, empty.
        """

    async def save(self, buckets: Mapping[bytes, datetime]) -> None:
        """Store changed buckets."""

    async def prune(self, now: datetime) -> None:
        """Forget empty buckets."""
