"""Folds the log into the newest values, and prunes what every consumer has passed.

One replica does it at a time. Effect and cursor share a transaction: after a crash the next one
goes on exactly where the last commit left off.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import Database
from services.telemetry.storage.ingest_log import HORIZON_NOW, named_batches, with_payloads
from services.telemetry.storage.latest import (
    CONSUMER,
    DeviceKey,
    load_latest,
    newest_of,
    save_latest,
)

_LOCK_KEY = 0x64745F6C61746573
_PAGE_ENTRIES = 100

_TAKE_LOCK = sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK_KEY))

_READ = sa.text(f"""
SELECT l.txid::text::bigint AS position, l.company_id, l.committed_at,
       l.device_ids, l.t0s, l.boot_ids, l.seqs, l.parts
FROM ingest_log AS l
LEFT JOIN log_cursor AS c ON c.company_id = l.company_id AND c.consumer = :consumer
WHERE l.txid >= CAST(CAST(:low AS text) AS xid8)
  AND l.txid < CAST(CAST(:horizon AS text) AS xid8)
  AND l.txid >= coalesce(c.next_txid, '0'::xid8)
ORDER BY l.txid
LIMIT {_PAGE_ENTRIES}
""")  # noqa: S608 - a constant of this module

_LAG = sa.text("""
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(l.committed_at)), 0)::float8
FROM ingest_log AS l WHERE l.txid >= CAST(CAST(:low AS text) AS xid8)
""")

_ADVANCE = sa.text("""
INSERT INTO log_cursor (company_id, consumer, next_txid)
VALUES (:company_id, :consumer, CAST(CAST(:next AS text) AS xid8))
ON CONFLICT (company_id, consumer) DO UPDATE SET next_txid = excluded.next_txid
""")

# The time bound is for those who follow the log without a cursor of their own: watchers.
_PRUNE = sa.text("""
DELETE FROM ingest_log AS l
WHERE l.committed_at < :before
  AND l.txid < (SELECT min(c.next_txid) FROM log_cursor AS c WHERE c.company_id = l.company_id)
""")


async def fold_alone(session: AsyncSession) -> None:
    """Keep everybody from folding until the transaction ends."""
    await session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))


class PostgresLatestFolder:
    """Folds the log into the newest values."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Everything below has been folded, by whomever. It only spares looking at it again.
        self._folded_below = 0
        self.lag_s = 0.0
        """How old the oldest entry was that the last round left; 0 if another replica folds."""

    async def fold(self) -> bool:
        """Fold some entries; False if there were none left, or another replica is at it."""
        async with self._database.transaction() as session:
            if not (await session.execute(_TAKE_LOCK)).scalar_one():
                self.lag_s = 0.0
                return False
            horizon: int = (await session.execute(HORIZON_NOW)).scalar_one()
            found = await session.execute(
                _READ,
                {"consumer": CONSUMER, "low": str(self._folded_below), "horizon": str(horizon)},
            )
            entries = found.all()
            if entries:
                await self._apply(session, entries)
            full = len(entries) == _PAGE_ENTRIES
            folded_below = entries[-1].position + 1 if full else horizon
            lag_s: float = (await session.execute(_LAG, {"low": str(folded_below)})).scalar_one()
        self._folded_below, self.lag_s = folded_below, lag_s
        return full

    async def prune(self, before: datetime) -> None:
        """Delete entries that every consumer has passed and no watcher can still need."""
        async with self._database.transaction() as session:
            await session.execute(_PRUNE, {"before": before})

    async def _apply(self, session: AsyncSession, entries: Sequence[Any]) -> None:
        named = list(named_batches(entries))
        devices: set[DeviceKey] = {(batch.company_id, batch.device_id) for batch in named}
        latest = await load_latest(session, devices)
        async for batch, payload in with_payloads(session, named):
            latest[batch.company_id, batch.device_id].absorb(newest_of(batch, payload))
        await save_latest(session, latest)
        cursors: dict[uuid.UUID, int] = {entry.company_id: entry.position + 1 for entry in entries}
        await session.execute(
            _ADVANCE,
            [
                {"company_id": company_id, "consumer": CONSUMER, "next": str(position)}
                for company_id, position in sorted(cursors.items())
            ],
        )
