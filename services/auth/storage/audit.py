"""The audit log in PostgreSQL."""

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.domain.audit import (
    GENESIS_HASH,
    NOTHING_PERSONAL,
    Act,
    Chain,
    Personal,
    Record,
    SealedPersonal,
)
from services.auth.ports.audit import AuditQuery, ShownRecord
from services.auth.storage.audit_heads import PostgresAuditHeads
from services.auth.storage.audit_seals import DataKey, new_sealed_key, open_key, show
from services.auth.storage.audit_tables import AUDIT_CHAINS, AUDIT_HEADS, AUDIT_RECORDS
from services.auth.storage.vault import Vault
from services.chassis.database import Database
from services.chassis.locks import lock_work
from services.chassis.outbox import first_delivery

_ACT_FIELDS = tuple(field.name for field in fields(Act))


class PostgresAuditTransaction(PostgresAuditHeads):
    """One database transaction on the audit log."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        super().__init__(session, vault)
        self._keys: dict[uuid.UUID, DataKey | None] = {}
        self._erased: set[uuid.UUID] = set()

    async def first_delivery(self, consumer: str, event_id: uuid.UUID) -> bool:
        """Note that a consumer got an event; False if it had it before."""
        return await first_delivery(self._session, consumer, event_id)

    async def exclude_others(self, work: str) -> None:
        """Wait until no other transaction does this work, and keep others from it."""
        await lock_work(self._session, work)

    async def lock_chain(self, company_id: uuid.UUID) -> Chain:
        """Return a chain, begun if there is none, and keep others from adding to it."""
        query = sa.select(AUDIT_CHAINS).where(AUDIT_CHAINS.c.company_id == company_id)
        found = (await self._session.execute(query.with_for_update())).one_or_none()
        if found is None:
            await self._session.execute(
                insert(AUDIT_CHAINS)
                .values(
                    company_id=company_id,
                    sequence=0,
                    hash=GENESIS_HASH,
                    signed_sequence=0,
                    pruned_sequence=0,
                    sealed_key=new_sealed_key(self._vault, company_id),
                )
                .on_conflict_do_nothing()
            )
            found = (await self._session.execute(query.with_for_update())).one()
        return self._chain(found)

    async def find_chain(self, company_id: uuid.UUID) -> Chain | None:
        """Return a chain."""
        query = sa.select(AUDIT_CHAINS).where(AUDIT_CHAINS.c.company_id == company_id)
        found = (await self._session.execute(query)).one_or_none()
        return None if found is None else self._chain(found)

    async def seal(self, chain: Chain, act_id: uuid.UUID, personal: Personal) -> SealedPersonal:
        """Encrypt personal data under the chain's key; nothing is left of them if it has none."""
        key = self._keys[chain.company_id]
        return NOTHING_PERSONAL if key is None else key.seal(act_id, personal)

    async def append(self, record: Record) -> None:
        """Add a record to its chain, which is locked."""
        await self._session.execute(sa.insert(AUDIT_RECORDS).values(_values(record)))
        await self._session.execute(
            sa.update(AUDIT_CHAINS)
            .where(AUDIT_CHAINS.c.company_id == record.act.company_id)
            .values(sequence=record.sequence, hash=record.hash)
        )

    async def list_newest(
        self, company_id: uuid.UUID, query: AuditQuery, before: int | None, limit: int
    ) -> Sequence[ShownRecord]:
        """Return records that a query matches, newest first, those before a sequence number."""
        statement = (
            sa.select(AUDIT_RECORDS)
            .where(AUDIT_RECORDS.c.company_id == company_id, *_matching(query))
            .order_by(AUDIT_RECORDS.c.sequence.desc())
            .limit(limit)
        )
        if before is not None:
            statement = statement.where(AUDIT_RECORDS.c.sequence < before)
        return await self._shown(company_id, statement)

    async def read(self, company_id: uuid.UUID, after: int, limit: int) -> Sequence[ShownRecord]:
        """Return the records after a sequence number, oldest first."""
        statement = (
            sa.select(AUDIT_RECORDS)
            .where(AUDIT_RECORDS.c.company_id == company_id, AUDIT_RECORDS.c.sequence > after)
            .order_by(AUDIT_RECORDS.c.sequence)
            .limit(limit)
        )
        return await self._shown(company_id, statement)

    async def stretch(
        self, company_id: uuid.UUID, start: datetime | None, end: datetime | None
    ) -> tuple[int, int] | None:
        """Return the first and the last sequence number of what happened between two moments."""
        sequence = AUDIT_RECORDS.c.sequence
        statement = sa.select(sa.func.min(sequence), sa.func.max(sequence)).where(
            AUDIT_RECORDS.c.company_id == company_id, *_matching(AuditQuery(start=start, end=end))
        )
        first, last = (await self._session.execute(statement)).one()
        return None if first is None else (first, last)

    async def list_prunable(self, before: datetime, limit: int) -> Sequence[uuid.UUID]:
        """Return chains whose first record was sealed before a moment."""
        first = AUDIT_CHAINS.c.pruned_sequence + 1
        statement = (
            sa.select(AUDIT_CHAINS.c.company_id)
            .join(
                AUDIT_RECORDS,
                (AUDIT_RECORDS.c.company_id == AUDIT_CHAINS.c.company_id)
                & (AUDIT_RECORDS.c.sequence == first),
            )
            .where(AUDIT_RECORDS.c.sealed_at < before)
            .limit(limit)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def last_before(self, chain: Chain, before: datetime, limit: int) -> Record | None:
        """Return the last of a chain's oldest records, as many at most, sealed before a moment."""
        statement = (
            sa.select(AUDIT_RECORDS)
            .where(
                AUDIT_RECORDS.c.company_id == chain.company_id,
                AUDIT_RECORDS.c.sequence > chain.pruned_sequence,
                AUDIT_RECORDS.c.sequence <= chain.pruned_sequence + limit,
                AUDIT_RECORDS.c.sealed_at < before,
            )
            .order_by(AUDIT_RECORDS.c.sequence.desc())
            .limit(1)
        )
        found = (await self._session.execute(statement)).one_or_none()
        return None if found is None else _record(found)

    async def destroy_key(self, company_id: uuid.UUID, now: datetime) -> None:
        """Destroy the key to a chain's personal data, which is locked, for good."""
        await self._session.execute(
            sa.update(AUDIT_CHAINS)
            .where(AUDIT_CHAINS.c.company_id == company_id)
            .values(sealed_key=None, erased_at=now)
        )

    async def _shown(
        self, company_id: uuid.UUID, statement: sa.Select[Any]
    ) -> Sequence[ShownRecord]:
        if company_id not in self._keys:
            await self.find_chain(company_id)
        key, erased = self._keys.get(company_id), company_id in self._erased
        rows = await self._session.execute(statement)
        return [show(key, _record(row), erased=erased) for row in rows]

    def _chain(self, row: sa.Row[Any]) -> Chain:
        if row.erased_at is not None:
            self._erased.add(row.company_id)
        self._keys[row.company_id] = (
            None
            if row.sealed_key is None
            else open_key(self._vault, row.company_id, row.sealed_key)
        )
        return Chain(
            company_id=row.company_id,
            sequence=row.sequence,
            hash=row.hash,
            signed_sequence=row.signed_sequence,
            pruned_sequence=row.pruned_sequence,
            erased_at=row.erased_at,
        )


class PostgresAuditStore:
    """Begins transactions on the audit log."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresAuditTransaction]:
        """Begin a unit of work that commits at the end of the block, or not at all if it raises."""
        async with self._database.transaction() as session:
            yield PostgresAuditTransaction(session, self._vault)


AUDIT_LOG_TABLES = frozenset({AUDIT_HEADS.name, AUDIT_CHAINS.name})
"""Written to by sealing and signing, which is no act of its own."""


def _matching(query: AuditQuery) -> Iterator[sa.ColumnElement[bool]]:
    columns = AUDIT_RECORDS.c
    if query.start is not None:
        yield columns.occurred_at >= query.start
    if query.end is not None:
        yield columns.occurred_at < query.end
    for name in ("actor_id", "action", "resource_type", "resource_id", "outcome"):
        value = getattr(query, name)
        if value:
            yield columns[name] == value


def _values(record: Record) -> dict[str, Any]:
    act = {name: getattr(record.act, name) for name in _ACT_FIELDS}
    return act | {
        "changed_fields": list(record.act.changed_fields),
        "sequence": record.sequence,
        "sealed_at": record.sealed_at,
        "personal_sealed": record.personal.sealed,
        "personal_digest": record.personal.digest,
        "previous_hash": record.previous_hash,
        "hash": record.hash,
    }


def _record(row: sa.Row[Any]) -> Record:
    return Record(
        act=Act(**{name: getattr(row, name) for name in _ACT_FIELDS}),
        sequence=row.sequence,
        sealed_at=row.sealed_at,
        personal=SealedPersonal(row.personal_sealed, row.personal_digest),
        previous_hash=row.previous_hash,
        hash=row.hash,
    )
