"""Reads the log of flushes, and the batches that it names.

Entries are numbered by transaction, and transactions commit in another order than they begin. Only
what lies below the oldest running transaction is therefore handed out: no earlier entry can appear
there any more, whichever replica writes.
"""

import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import Database
from services.telemetry.codec.columns import decode_columns
from services.telemetry.ports.reading import CommittedBatch, LogEntry, LogPage
from services.telemetry.storage.moments import milliseconds

_PAGE_ENTRIES = 200
_GROUP_BATCHES = 64

HORIZON = "pg_snapshot_xmin(pg_current_snapshot())"

HORIZON_NOW = sa.text(f"SELECT {HORIZON}::text::bigint")

_READ = sa.text(f"""
SELECT h.horizon, l.txid::text::bigint AS position, l.company_id, l.committed_at,
       l.device_ids, l.t0s, l.boot_ids, l.seqs, l.parts
FROM (SELECT {HORIZON}::text::bigint AS horizon) AS h
LEFT JOIN ingest_log AS l
    ON l.company_id = :company_id
   AND l.txid >= CAST(CAST(:position AS text) AS xid8)
   AND l.txid < {HORIZON}
ORDER BY l.txid
LIMIT {_PAGE_ENTRIES}
""")  # noqa: S608 - constants of this module

# LIMIT keeps the planner from anything but one index look-up for each key. The types stand in the
# statement, so that the driver takes the lists as they are.
_BATCHES = sa.text("""
SELECT k.place, b.payload
FROM unnest(CAST(:company_ids AS uuid[]), CAST(:device_ids AS uuid[]),
            CAST(:t0s AS timestamptz[]), CAST(:boot_ids AS bigint[]), CAST(:seqs AS bigint[]),
            CAST(:parts AS integer[]))
    WITH ORDINALITY AS k (company_id, device_id, t0, boot_id, seq, part, place)
CROSS JOIN LATERAL (
    SELECT t.payload FROM telemetry_batch AS t
    WHERE t.company_id = k.company_id AND t.device_id = k.device_id AND t.t0 = k.t0
      AND t.boot_id = k.boot_id AND t.seq = k.seq AND t.part = k.part
    LIMIT 1
) AS b
""")


@dataclass(frozen=True, slots=True)
class LoggedBatch:
    """A batch that the log names."""

    position: int
    company_id: uuid.UUID
    committed_at: datetime
    device_id: uuid.UUID
    t0: datetime
    boot_id: int
    seq: int
    part: int

    @property
    def t0_ms(self) -> int:
        """The batch's start."""
        return milliseconds(self.t0)


def named_batches(rows: Iterable[Any], device_id: uuid.UUID | None = None) -> Iterator[LoggedBatch]:
    """Unfold rows of the log into the batches that they name, of one device if one is given."""
    for row in rows:
        columns = zip(row.device_ids, row.t0s, row.boot_ids, row.seqs, row.parts, strict=True)
        for device, *key in columns:
            if device_id is None or device == device_id:
                yield LoggedBatch(row.position, row.company_id, row.committed_at, device, *key)


async def with_payloads(
    session: AsyncSession, named: Sequence[LoggedBatch]
) -> AsyncIterator[tuple[LoggedBatch, bytes]]:
    """Fetch the batches' payloads; those whose partition was dropped are left out.

    They come in small groups: whoever decodes them must not hold up the uploads meanwhile.
    """
    for start in range(0, len(named), _GROUP_BATCHES):
        group = named[start : start + _GROUP_BATCHES]
        found = await _payloads(session, group)
        for place, batch in enumerate(group):
            if place in found:
                yield batch, found[place]


async def _payloads(session: AsyncSession, named: Sequence[LoggedBatch]) -> dict[int, bytes]:
    rows = await session.execute(
        _BATCHES,
        {
            "company_ids": [batch.company_id for batch in named],
            "device_ids": [batch.device_id for batch in named],
            "t0s": [batch.t0 for batch in named],
            "boot_ids": [batch.boot_id for batch in named],
            "seqs": [batch.seq for batch in named],
            "parts": [batch.part for batch in named],
        },
    )
    return {row.place - 1: row.payload for row in rows}


class PostgresCommitLog:
    """The log, company by company."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def position(self) -> int:
        """Return where an entry that nobody has seen yet would stand at the earliest."""
        async with self._database.transaction() as session:
            horizon: int = (await session.execute(HORIZON_NOW)).scalar_one()
        return horizon

    async def read(self, company_id: uuid.UUID, position: int) -> LogPage:
        """Return the entries from a position that no earlier entry can come before any more."""
        async with self._database.transaction(isolation="REPEATABLE READ") as session:
            found = await session.execute(
                _READ, {"company_id": company_id, "position": str(position)}
            )
            rows = found.all()
            entries = [row for row in rows if row.position is not None]
            by_entry: dict[int, list[CommittedBatch]] = {row.position: [] for row in entries}
            async for batch, payload in with_payloads(session, list(named_batches(entries))):
                columns = decode_columns(payload, batch.t0_ms)
                by_entry[batch.position].append(CommittedBatch(batch.device_id, columns))
        full = len(entries) == _PAGE_ENTRIES
        next_position = entries[-1].position + 1 if full else rows[0].horizon
        return LogPage(
            [LogEntry(place, content) for place, content in by_entry.items()],
            max(position, next_position),
        )
