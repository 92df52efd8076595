"""Signed heads of the audit log and the keys that sign them, in PostgreSQL."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.domain.audit_heads import AuditKey, Head, HeadKind, key_id_of
from services.auth.storage.audit_tables import (
    AUDIT_CHAINS,
    AUDIT_HEADS,
    AUDIT_KEYS,
    AUDIT_RECORDS,
)
from services.auth.storage.vault import SealBroken, Vault


class PostgresAuditHeads:
    """Heads and keys of one transaction."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def list_heads(
        self, company_id: uuid.UUID, before: int | None, limit: int
    ) -> Sequence[Head]:
        """Return heads, newest first, those before a sequence number."""
        statement = (
            sa.select(AUDIT_HEADS)
            .where(AUDIT_HEADS.c.company_id == company_id)
            .order_by(AUDIT_HEADS.c.sequence.desc())
            .limit(limit)
        )
        if before is not None:
            statement = statement.where(AUDIT_HEADS.c.sequence < before)
        return [_head(row) for row in await self._session.execute(statement)]

    async def read_heads(
        self, company_id: uuid.UUID, first: int, last: int | None, limit: int
    ) -> Sequence[Head]:
        """Return the heads from one sequence number to another, oldest first."""
        statement = (
            sa.select(AUDIT_HEADS)
            .where(
                AUDIT_HEADS.c.company_id == company_id,
                AUDIT_HEADS.c.kind == HeadKind.HEAD.value,
                AUDIT_HEADS.c.sequence >= first,
            )
            .order_by(AUDIT_HEADS.c.sequence)
            .limit(limit)
        )
        if last is not None:
            statement = statement.where(AUDIT_HEADS.c.sequence <= last)
        return [_head(row) for row in await self._session.execute(statement)]

    async def find_checkpoint(self, company_id: uuid.UUID) -> Head | None:
        """Return the head that stands for what retention has removed."""
        statement = (
            sa.select(AUDIT_HEADS)
            .where(
                AUDIT_HEADS.c.company_id == company_id,
                AUDIT_HEADS.c.kind == HeadKind.CHECKPOINT.value,
            )
            .order_by(AUDIT_HEADS.c.sequence.desc())
            .limit(1)
        )
        found = (await self._session.execute(statement)).one_or_none()
        return None if found is None else _head(found)

    async def add_head(self, head: Head) -> None:
        """Store a head of a chain that is locked, unless there is one."""
        await self._session.execute(
            insert(AUDIT_HEADS)
            .values(asdict(head) | {"kind": head.kind.value})
            .on_conflict_do_nothing()
        )
        if head.kind is HeadKind.HEAD:
            await self._session.execute(
                sa.update(AUDIT_CHAINS)
                .where(AUDIT_CHAINS.c.company_id == head.company_id)
                .values(signed_sequence=head.sequence)
            )

    async def list_unsigned(self, limit: int) -> Sequence[uuid.UUID]:
        """Return chains that have grown since they were last signed."""
        statement = (
            sa.select(AUDIT_CHAINS.c.company_id)
            .where(AUDIT_CHAINS.c.sequence > AUDIT_CHAINS.c.signed_sequence)
            .limit(limit)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def prune(self, checkpoint: Head) -> None:
        """Remove everything of a chain, which is locked, that a checkpoint stands for."""
        company_id, last = checkpoint.company_id, checkpoint.sequence
        for table in (AUDIT_RECORDS, AUDIT_HEADS):
            await self._session.execute(
                sa.delete(table).where(table.c.company_id == company_id, table.c.sequence <= last)
            )
        await self._session.execute(
            sa.update(AUDIT_CHAINS)
            .where(AUDIT_CHAINS.c.company_id == company_id)
            .values(pruned_sequence=last)
        )
        await self.add_head(checkpoint)

    async def keys(self) -> Sequence[AuditKey]:
        """Return the public halves of all keys that ever signed heads, oldest first."""
        statement = sa.select(AUDIT_KEYS).order_by(AUDIT_KEYS.c.created_at)
        return [_key(row) for row in await self._session.execute(statement)]

    async def own_keys(self) -> Sequence[AuditKey]:
        """Return the keys that this service made, as their sealed private halves prove.

        One that somebody has put there is not sealed under the name that its public half has.
        """
        rows = await self._session.execute(sa.select(AUDIT_KEYS))
        return [_key(row) for row in rows if self._is_ours(row)]

    def _is_ours(self, row: sa.Row[Any]) -> bool:
        try:
            self._vault.open(row.sealed_private_key, _context(key_id_of(row.public_key)))
        except SealBroken:
            return False
        return True

    async def signing_key(self) -> tuple[AuditKey, bytes] | None:
        """Return the newest key with its private half."""
        statement = sa.select(AUDIT_KEYS).order_by(AUDIT_KEYS.c.created_at.desc()).limit(1)
        found = (await self._session.execute(statement)).one_or_none()
        if found is None:
            return None
        return _key(found), self._vault.open(found.sealed_private_key, _context(found.key_id))

    async def add_key(self, key: AuditKey, private_key: bytes) -> None:
        """Store a key, which signs from now on."""
        sealed = self._vault.seal(private_key, _context(key.key_id))
        await self._session.execute(
            sa.insert(AUDIT_KEYS).values(asdict(key) | {"sealed_private_key": sealed})
        )


def _head(row: sa.Row[Any]) -> Head:
    return Head(
        company_id=row.company_id,
        kind=HeadKind(row.kind),
        sequence=row.sequence,
        hash=row.hash,
        signed_at=row.signed_at,
        key_id=row.key_id,
        signature=row.signature,
    )


def _key(row: sa.Row[Any]) -> AuditKey:
    return AuditKey(row.key_id, row.public_key, row.created_at)


def _context(key_id: str) -> str:
    return f"audit signing key {key_id}"
