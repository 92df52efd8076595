"""Authenticators and backup codes in PostgreSQL; secrets are sealed."""

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.domain.totp import Totp
from services.auth.storage.tables import BACKUP_CODES, TOTPS
from services.auth.storage.vault import Vault


class PostgresSecondFactorRepository:
    """Second factors of one transaction."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def find(self, user_id: uuid.UUID) -> Totp | None:
        """Return a person's authenticator; whoever holds the credential keeps it unchanged."""
        query = sa.select(TOTPS).where(TOTPS.c.user_id == user_id)
        row = (await self._session.execute(query)).one_or_none()
        if row is None:
            return None
        secret = self._vault.open(row.sealed_secret, _context(user_id))
        return Totp(user_id, secret, row.confirmed_at, row.last_step, row.failures)

    async def save(self, totp: Totp) -> None:
        """Store a person's authenticator, new or changed."""
        values = {
            "user_id": totp.user_id,
            "sealed_secret": self._vault.seal(totp.secret, _context(totp.user_id)),
            "confirmed_at": totp.confirmed_at,
            "last_step": totp.last_step,
            "failures": totp.failures,
        }
        await self._session.execute(
            insert(TOTPS)
            .values(**values)
            .on_conflict_do_update(index_elements=[TOTPS.c.user_id], set_=values)
        )

    async def replace_backup_codes(self, user_id: uuid.UUID, digests: Sequence[bytes]) -> None:
        """Store new backup codes; earlier ones stop working."""
        await self._session.execute(
            sa.delete(BACKUP_CODES).where(BACKUP_CODES.c.user_id == user_id)
        )
        await self._session.execute(
            sa.insert(BACKUP_CODES),
            [{"user_id": user_id, "digest": digest} for digest in digests],
        )

    async def use_backup_code(self, user_id: uuid.UUID, digest: bytes) -> bool:
        """Use a backup code up; False if there is no such code."""
        statement = (
            sa.delete(BACKUP_CODES)
            .where(BACKUP_CODES.c.user_id == user_id, BACKUP_CODES.c.digest == digest)
            .returning(BACKUP_CODES.c.digest)
        )
        return (await self._session.execute(statement)).one_or_none() is not None

    async def remove(self, user_id: uuid.UUID) -> None:
        """Forget a person's authenticator and backup codes."""
        for table in (TOTPS, BACKUP_CODES):
            await self._session.execute(sa.delete(table).where(table.c.user_id == user_id))


def _context(user_id: uuid.UUID) -> str:
    return f"authenticator of {user_id}"
