"""Addresses that people are to have, in PostgreSQL; they are sealed."""

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.domain.email_changes import EmailChange
from services.auth.storage.tables import EMAIL_CHANGES
from services.auth.storage.vault import Vault


class PostgresEmailChangeRepository:
    """Changes of one transaction."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def save(self, change: EmailChange) -> None:
        """Store a person's change, new or changed; an earlier one stops working."""
        addresses = json.dumps([change.from_email, change.to_email]).encode()
        values = {
            "user_id": change.user_id,
            "sealed_emails": self._vault.seal(addresses, _context(change.user_id)),
            "digest": change.digest,
            "expires_at": change.expires_at,
            "failures": change.failures,
            "proven_at": change.proven_at,
            "due_at": change.proven_at,
        }
        await self._session.execute(
            insert(EMAIL_CHANGES)
            .values(**values)
            .on_conflict_do_update(index_elements=[EMAIL_CHANGES.c.user_id], set_=values)
        )

    async def lock(self, user_id: uuid.UUID) -> EmailChange | None:
        """Return a person's change and keep it from changing until the transaction ends."""
        query = sa.select(EMAIL_CHANGES).where(EMAIL_CHANGES.c.user_id == user_id)
        row = (await self._session.execute(query.with_for_update())).one_or_none()
        return None if row is None else self._read(row)

    async def count_failure(self, user_id: uuid.UUID) -> None:
        """Count a wrong code."""
        await self._session.execute(
            sa.update(EMAIL_CHANGES)
            .where(EMAIL_CHANGES.c.user_id == user_id)
            .values(failures=EMAIL_CHANGES.c.failures + 1)
        )

    async def remove(self, user_id: uuid.UUID) -> None:
        """Forget a person's change."""
        await self._session.execute(
            sa.delete(EMAIL_CHANGES).where(EMAIL_CHANGES.c.user_id == user_id)
        )

    async def lease_proven(self, now: datetime, lease: timedelta) -> EmailChange | None:
        """Take the proven change that is due longest; nobody else gets it until the lease ends."""
        due = (
            sa.select(EMAIL_CHANGES.c.user_id)
            .where(EMAIL_CHANGES.c.due_at <= now)
            .order_by(EMAIL_CHANGES.c.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        user_id = await self._session.scalar(due)
        if user_id is None:
            return None
        statement = (
            sa.update(EMAIL_CHANGES)
            .where(EMAIL_CHANGES.c.user_id == user_id)
            .values(due_at=now + lease)
            .returning(EMAIL_CHANGES)
        )
        return self._read((await self._session.execute(statement)).one())

    async def prune(self, now: datetime) -> None:
        """Forget changes whose code has expired before it was proven."""
        await self._session.execute(
            sa.delete(EMAIL_CHANGES).where(
                EMAIL_CHANGES.c.expires_at <= now, EMAIL_CHANGES.c.proven_at.is_(None)
            )
        )

    def _read(self, row: sa.Row[Any]) -> EmailChange:
        plain = self._vault.open(row.sealed_emails, _context(row.user_id))
        from_email, to_email = json.loads(plain)
        return EmailChange(
            user_id=row.user_id,
            from_email=from_email,
            to_email=to_email,
            digest=row.digest,
            expires_at=row.expires_at,
            failures=row.failures,
            proven_at=row.proven_at,
        )


def _context(user_id: uuid.UUID) -> str:
    return f"e-mail change of {user_id}"
