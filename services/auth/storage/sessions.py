"""Sessions and refresh tokens in PostgreSQL."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.domain.sessions import Origin, RefreshToken, Session, SessionCounts
from services.auth.storage.tables import CREDENTIALS, REFRESH_TOKENS, SESSIONS
from services.auth.storage.vault import Vault


class PostgresSessionRepository:
    """Sessions of one transaction."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def add(self, session: Session, token: RefreshToken) -> None:
        """Store a session with its first refresh token."""
        await self._session.execute(
            sa.insert(SESSIONS).values(
                session_id=session.session_id,
                user_id=session.user_id,
                address_digest=session.address_digest,
                opened_at=session.opened_at,
                last_used_at=session.last_used_at,
                expires_at=session.expires_at,
                ended_at=session.ended_at,
                sealed_origin=self._sealed_origin(session),
            )
        )
        await self._session.execute(sa.insert(REFRESH_TOKENS).values(asdict(token)))

    async def lock(self, session_id: uuid.UUID) -> Session | None:
        """Return a session and keep it from changing until the transaction ends."""
        query = sa.select(SESSIONS).where(SESSIONS.c.session_id == session_id)
        row = (await self._session.execute(query.with_for_update())).one_or_none()
        return None if row is None else self._read(row)

    async def lock_by_token(self, digest: bytes) -> tuple[Session, RefreshToken] | None:
        """Return the session that a refresh token belongs to, locked, and the token as it is now.

        The token is read by a statement of its own after the session is locked, so it is seen as
        the transaction left it that this one waited for.
        """
        by_digest = REFRESH_TOKENS.c.digest == digest
        owner = sa.select(REFRESH_TOKENS.c.session_id).where(by_digest).scalar_subquery()
        query = sa.select(SESSIONS).where(SESSIONS.c.session_id == owner).with_for_update()
        session = (await self._session.execute(query)).one_or_none()
        token = (
            await self._session.execute(sa.select(REFRESH_TOKENS).where(by_digest))
        ).one_or_none()
        if session is None or token is None:
            return None
        return self._read(session), RefreshToken(
            digest=token.digest,
            session_id=token.session_id,
            expires_at=token.expires_at,
            used_at=token.used_at,
        )

    async def lock_open(self, user_id: uuid.UUID) -> Sequence[Session]:
        """Return the sessions of a person that have not been ended, all locked."""
        query = (
            sa.select(SESSIONS)
            .where(SESSIONS.c.user_id == user_id, SESSIONS.c.ended_at.is_(None))
            .order_by(SESSIONS.c.session_id)
            .with_for_update()
        )
        return [self._read(row) for row in await self._session.execute(query)]

    async def lock_open_of(
        self, company_id: uuid.UUID, opened_until: datetime | None, limit: int
    ) -> Sequence[Session]:
        """Return open sessions of a company's people, all or those begun by a moment, locked."""
        people = sa.select(CREDENTIALS.c.user_id).where(CREDENTIALS.c.company_id == company_id)
        query = (
            sa.select(SESSIONS)
            .where(SESSIONS.c.user_id.in_(people), SESSIONS.c.ended_at.is_(None))
            .order_by(SESSIONS.c.session_id)
            .limit(limit)
            .with_for_update()
        )
        if opened_until is not None:
            query = query.where(SESSIONS.c.opened_at <= opened_until)
        return [self._read(row) for row in await self._session.execute(query)]

    async def list_live(
        self,
        user_id: uuid.UUID,
        before: uuid.UUID | None,
        limit: int,
        used_since: datetime,
        now: datetime,
    ) -> Sequence[Session]:
        """Return a person's sessions that can go on, the highest id (the newest) first."""
        query = sa.select(SESSIONS).where(
            SESSIONS.c.user_id == user_id,
            SESSIONS.c.ended_at.is_(None),
            SESSIONS.c.last_used_at > used_since,
            SESSIONS.c.expires_at > now,
        )
        if before is not None:
            query = query.where(SESSIONS.c.session_id < before)
        query = query.order_by(SESSIONS.c.session_id.desc()).limit(limit)
        return [self._read(row) for row in await self._session.execute(query)]

    async def count_open(self, user_id: uuid.UUID) -> int:
        """Count the sessions of a person that have not been ended."""
        query = sa.select(sa.func.count()).where(
            SESSIONS.c.user_id == user_id, SESSIONS.c.ended_at.is_(None)
        )
        return await self._session.scalar(query) or 0

    async def end(self, sessions: Sequence[Session], now: datetime) -> None:
        """End sessions that are locked, however many."""
        ending = sa.cast([session.session_id for session in sessions], sa.ARRAY(sa.Uuid))
        await self._session.execute(
            sa.update(SESSIONS).where(SESSIONS.c.session_id == sa.any_(ending)).values(ended_at=now)
        )

    async def save(self, session: Session) -> None:
        """Store a changed session."""
        await self._session.execute(
            sa.update(SESSIONS)
            .where(SESSIONS.c.session_id == session.session_id)
            .values(
                last_used_at=session.last_used_at,
                ended_at=session.ended_at,
                sealed_origin=self._sealed_origin(session),
            )
        )

    async def rotate(self, spent: RefreshToken, fresh: RefreshToken) -> None:
        """Mark a token as used and store its successor."""
        await self._session.execute(
            sa.update(REFRESH_TOKENS)
            .where(REFRESH_TOKENS.c.digest == spent.digest)
            .values(used_at=spent.used_at)
        )
        await self._session.execute(sa.insert(REFRESH_TOKENS).values(asdict(fresh)))

    async def was_opened_from(self, user_id: uuid.UUID, address_digest: bytes) -> bool:
        """Tell whether the person has logged in from an address, as far back as sessions go."""
        matches = sa.exists().where(
            SESSIONS.c.user_id == user_id, SESSIONS.c.address_digest == address_digest
        )
        return bool(await self._session.scalar(sa.select(matches)))

    async def count(
        self, used_since: datetime, active_since: datetime, now: datetime
    ) -> SessionCounts:
        """Count open sessions used since one moment, and people who used one since another."""
        is_active = SESSIONS.c.last_used_at > active_since
        query = sa.select(
            sa.func.count(),
            sa.func.count(SESSIONS.c.user_id.distinct()).filter(is_active),
        ).where(
            SESSIONS.c.ended_at.is_(None),
            SESSIONS.c.last_used_at > used_since,
            SESSIONS.c.expires_at > now,
        )
        row = (await self._session.execute(query)).one()
        return SessionCounts(open_sessions=row[0], active_users=row[1])

    async def prune(self, used_before: datetime, now: datetime) -> None:
        """Forget refresh tokens that have expired and sessions that can't go on."""
        await self._session.execute(
            sa.delete(REFRESH_TOKENS).where(REFRESH_TOKENS.c.expires_at <= now)
        )
        await self._session.execute(
            sa.delete(SESSIONS).where(
                (SESSIONS.c.last_used_at <= used_before) | (SESSIONS.c.expires_at <= now)
            )
        )

    def _read(self, row: sa.Row[Any]) -> Session:
        origin = None
        if row.sealed_origin is not None:
            origin = Origin(*json.loads(self._vault.open(row.sealed_origin, _context(row))))
        return Session(
            session_id=row.session_id,
            user_id=row.user_id,
            address_digest=row.address_digest,
            opened_at=row.opened_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            ended_at=row.ended_at,
            origin=origin,
        )

    def _sealed_origin(self, session: Session) -> bytes | None:
        if session.origin is None:
            return None
        plain = json.dumps([session.origin.address, session.origin.user_agent]).encode()
        return self._vault.seal(plain, _context(session))


def _context(session: Session | sa.Row[Any]) -> str:
    return f"session {session.session_id}"
