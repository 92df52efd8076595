"""Signing keys in PostgreSQL, private halves sealed."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.domain.keys import SigningKey
from services.auth.storage.tables import SIGNING_KEYS
from services.auth.storage.vault import Vault


class PostgresSigningKeyRepository:
    """Signing keys of one transaction."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def list_published(self, now: datetime) -> Sequence[SigningKey]:
        """Return the keys that are in the key set, oldest first."""
        ends = SIGNING_KEYS.c.verifies_until
        query = (
            sa.select(SIGNING_KEYS)
            .where(ends.is_(None) | (ends > now))
            .order_by(SIGNING_KEYS.c.signs_from)
        )
        return [
            SigningKey(
                kid=row.kid,
                private_key=self._vault.open(row.sealed_private_key, _context(row.kid)),
                public_key=row.public_key,
                signs_from=row.signs_from,
                verifies_until=row.verifies_until,
            )
            for row in await self._session.execute(query)
        ]

    async def save(self, key: SigningKey) -> None:
        """Store a key, new or changed."""
        statement = insert(SIGNING_KEYS).values(
            kid=key.kid,
            public_key=key.public_key,
            sealed_private_key=self._vault.seal(key.private_key, _context(key.kid)),
            signs_from=key.signs_from,
            verifies_until=key.verifies_until,
        )
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=[SIGNING_KEYS.c.kid], set_={"verifies_until": key.verifies_until}
            )
        )

    async def prune(self, now: datetime) -> None:
        """Forget keys that verify nothing any more."""
        await self._session.execute(
            sa.delete(SIGNING_KEYS).where(SIGNING_KEYS.c.verifies_until <= now)
        )


def _context(kid: str) -> str:
    return f"signing key {kid}"
