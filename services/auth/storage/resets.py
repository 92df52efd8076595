"""Codes that set new passwords, and who asked for one, in PostgreSQL."""

import uuid
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.domain.resets import PasswordReset, ResetRequest
from services.auth.storage.tables import PASSWORD_RESETS, RESET_REQUESTS
from services.auth.storage.vault import Vault


class PostgresPasswordResetRepository:
    """Resets of one transaction."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def ask(self, request: ResetRequest) -> None:
        """Queue a request."""
        plain = request.email.encode()
        await self._session.execute(
            sa.insert(RESET_REQUESTS).values(
                request_id=request.request_id,
                sealed_email=self._vault.seal(plain, _context(request.request_id)),
                requested_at=request.requested_at,
            )
        )

    async def take_request(self) -> ResetRequest | None:
        """Take the oldest request that nobody else is at off the queue."""
        oldest = (
            sa.select(RESET_REQUESTS.c.request_id)
            .order_by(RESET_REQUESTS.c.requested_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        request_id = await self._session.scalar(oldest)
        if request_id is None:
            return None
        statement = (
            sa.delete(RESET_REQUESTS)
            .where(RESET_REQUESTS.c.request_id == request_id)
            .returning(RESET_REQUESTS.c.sealed_email, RESET_REQUESTS.c.requested_at)
        )
        row = (await self._session.execute(statement)).one()
        email = self._vault.open(row.sealed_email, _context(request_id)).decode()
        return ResetRequest(request_id, email, row.requested_at)

    async def save(self, reset: PasswordReset) -> None:
        """Store a person's code, new or changed; an earlier one stops working."""
        values = asdict(reset)
        await self._session.execute(
            insert(PASSWORD_RESETS)
            .values(**values)
            .on_conflict_do_update(index_elements=[PASSWORD_RESETS.c.user_id], set_=values)
        )

    async def lock(self, user_id: uuid.UUID) -> PasswordReset | None:
        """Return a person's code and keep it from changing until the transaction ends."""
        query = sa.select(PASSWORD_RESETS).where(PASSWORD_RESETS.c.user_id == user_id)
        row = (await self._session.execute(query.with_for_update())).one_or_none()
        if row is None:
            return None
        return PasswordReset(row.user_id, row.digest, row.expires_at, row.failures)

    async def count_failure(self, user_id: uuid.UUID) -> None:
        """Count a wrong code; for somebody who has none, do nothing in the same time."""
        await self._session.execute(
            sa.update(PASSWORD_RESETS)
            .where(PASSWORD_RESETS.c.user_id == user_id)
            .values(failures=PASSWORD_RESETS.c.failures + 1)
        )

    async def remove(self, user_id: uuid.UUID) -> None:
        """Make a person's code stop working."""
        await self._session.execute(
            sa.delete(PASSWORD_RESETS).where(PASSWORD_RESETS.c.user_id == user_id)
        )

    async def prune(self, now: datetime) -> None:
        """Forget codes that have expired."""
        await self._session.execute(
            sa.delete(PASSWORD_RESETS).where(PASSWORD_RESETS.c.expires_at <= now)
        )


def _context(request_id: uuid.UUID) -> str:
    return f"reset request {request_id}"
