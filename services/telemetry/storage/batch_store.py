"""Writes groups of batches: one statement, one round trip, one transaction.

The only place that goes around the pool: a connection of its own saves the check-out, the ping and
the savepoint bookkeeping on each of hundreds of flushes a second.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Sequence
from typing import Any

import asyncpg

from services.chassis.database import Database, translate_database_error
from services.chassis.errors import DomainError, EditConflict, Unavailable
from services.telemetry.domain.batches import NewBatch, Verdict
from services.telemetry.ports.ingest import FlushCollision, StatementRefused, Stored
from services.telemetry.storage.moments import moment, signed
from services.telemetry.storage.partitions import PostgresPartitions

_FORMAT_READING_BATCH = 1
_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 2.0
# Longer than the server's own statement timeout: only a connection that went dumb gets here.
_FLUSH_TIMEOUT_S = 20.0

# What is to be erased is not added to: see `companies`.
# `found` is null when every batch was new, which is nearly always: nothing else is then sent back.
_STORE = """
WITH erased AS (
    SELECT company_id FROM company_erasure
), stored AS (
    INSERT INTO telemetry_batch
        (company_id, device_id, t0, boot_id, seq, part, t1, n, fmt, digest, payload)
    SELECT b.company_id, b.device_id, b.t0, b.boot_id, b.seq, b.part, b.t1, b.n,
           $12::smallint, b.digest, b.payload
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[], $5::bigint[],
                $6::integer[], $7::timestamptz[], $8::integer[], $9::bytea[], $10::bytea[])
        AS b (company_id, device_id, t0, boot_id, seq, part, t1, n, digest, payload)
    WHERE NOT EXISTS (SELECT FROM erased AS e WHERE e.company_id = b.company_id)
    ON CONFLICT DO NOTHING
    RETURNING company_id, device_id, t0, boot_id, seq, part
), logged AS (
    INSERT INTO ingest_log (company_id, device_ids, t0s, boot_ids, seqs, parts)
    SELECT company_id, array_agg(device_id), array_agg(t0), array_agg(boot_id), array_agg(seq),
           array_agg(part)
    FROM stored GROUP BY company_id
), widened AS (
    INSERT INTO device_span (company_id, device_id, span_bound_ms)
    SELECT * FROM unnest($13::uuid[], $14::uuid[], $15::bigint[])
        AS w (company_id, device_id, span_bound_ms)
    WHERE NOT EXISTS (SELECT FROM erased AS e WHERE e.company_id = w.company_id)
    ON CONFLICT (company_id, device_id) DO UPDATE
    SET span_bound_ms = greatest(device_span.span_bound_ms, excluded.span_bound_ms)
)
SELECT pg_current_xact_id()::text::bigint AS position,
       CASE WHEN count(*) < $11 THEN
           coalesce(array_agg(ROW(device_id, t0, boot_id, seq, part)::text), '{}')
       END AS new_keys
FROM stored
"""

# After the flush, in a statement and hence a snapshot of its own: what kept a batch from being
# stored is committed by then and visible.
_DIGESTS = """
SELECT k.place, b.digest, ROW(b.device_id, b.t0, b.boot_id, b.seq, b.part)::text AS key
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::integer[])
    WITH ORDINALITY AS k (company_id, device_id, t0, boot_id, seq, part, place)
CROSS JOIN LATERAL (
    SELECT * FROM telemetry_batch AS t
    WHERE t.company_id = k.company_id AND t.device_id = k.device_id AND t.t0 = k.t0
      AND t.boot_id = k.boot_id AND t.seq = k.seq AND t.part = k.part
    LIMIT 1
) AS b
"""


class PostgresBatchStore:
    """One writer's connection; it is made again, with backoff, when it was lost."""

    def __init__(self, database: Database, partitions: PostgresPartitions) -> None:
        self._database = database
        self._partitions = partitions
        self._connection: asyncpg.Connection | None = None
        self._backoff_s = 0.0
        self._retry_at_s = 0.0

    async def store(self, batches: Sequence[NewBatch]) -> Stored:
        """Commit batches with different keys, in the order of their keys."""
        connection = await self._connected()
        try:
            async with asyncio.timeout(_FLUSH_TIMEOUT_S):
                return await _store(connection, batches)
        except Exception as err:
            translated = self._translated(err)
            if isinstance(translated, Unavailable):
                self._drop()
            if translated is None:
                raise
            raise translated from err

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.close(timeout=1.0)

    def _translated(self, err: Exception) -> Exception | None:
        # A class of its own, 23514: the partition that was there has been dropped.
        if isinstance(err, asyncpg.CheckViolationError):
            self._partitions.forget()
            return Unavailable("The partition for the batch is not there.")
        if isinstance(err, asyncpg.IntegrityConstraintViolationError | asyncpg.DataError):
            return StatementRefused(str(err))
        # The client's own complaint about an argument; a kind of InterfaceError, unlike a lost
        # connection also a ValueError.
        if isinstance(err, asyncpg.InterfaceError) and isinstance(err, ValueError):
            return StatementRefused(str(err))
        translated = translate_database_error(err)
        return FlushCollision() if isinstance(translated, EditConflict) else translated

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        if time.monotonic() < self._retry_at_s:
            raise Unavailable("The database does not answer.")
        try:
            connection = await self._database.connect()
            await connection.execute("SET synchronous_commit = on")
        except Exception as err:
            self._backoff_s = min(_BACKOFF_MAX_S, max(_BACKOFF_FIRST_S, 2 * self._backoff_s))
            self._retry_at_s = time.monotonic() + self._backoff_s
            translated = err if isinstance(err, DomainError) else translate_database_error(err)
            if translated is None or translated is err:
                raise
            raise translated from err
        self._backoff_s = 0.0
        self._connection = connection
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


async def _store(connection: asyncpg.Connection, batches: Sequence[NewBatch]) -> Stored:
    keys = _key_columns(batches)
    row = await connection.fetchrow(
        _STORE,
        *keys,
        [moment(batch.t1_ms) for batch in batches],
        [batch.reading_count for batch in batches],
        [batch.digest for batch in batches],
        [batch.payload for batch in batches],
        len(batches),
        _FORMAT_READING_BATCH,
        *_widened(batches),
    )
    assert row is not None, "an aggregate without groups has one row"  # noqa: S101
    if row["new_keys"] is None:
        return Stored([Verdict.STORED] * len(batches), row["position"])
    new = frozenset(row["new_keys"])
    found = {
        record["place"] - 1: (record["key"], record["digest"])
        for record in await connection.fetch(_DIGESTS, *keys)
    }
    verdicts = [_verdict(batch, found.get(i), new) for i, batch in enumerate(batches)]
    return Stored(verdicts, row["position"])


def _verdict(batch: NewBatch, found: tuple[str, bytes] | None, new: frozenset[str]) -> Verdict:
    if found is None:
        # Nothing kept it from being stored but the erasure of its company; or what did was there a
        # moment ago, and only dropping its partition can have taken it away.
        return Verdict.BARRED
    key, digest = found
    if key in new:
        return Verdict.STORED
    return Verdict.REPEATED if digest == batch.digest else Verdict.CONFLICTING


def _key_columns(batches: Sequence[NewBatch]) -> tuple[list[Any], ...]:
    return (
        [batch.company_id for batch in batches],
        [batch.device_id for batch in batches],
        [moment(batch.t0_ms) for batch in batches],
        [signed(batch.boot_id) for batch in batches],
        [batch.seq for batch in batches],
        [batch.part for batch in batches],
    )


def _widened(batches: Sequence[NewBatch]) -> tuple[list[Any], ...]:
    bounds: dict[tuple[uuid.UUID, uuid.UUID], int] = {}
    for batch in batches:
        if batch.widened_span_ms:
            device = (batch.company_id, batch.device_id)
            bounds[device] = max(bounds.get(device, 0), batch.widened_span_ms)
    companies = [company_id for company_id, _ in bounds]
    devices = [device_id for _, device_id in bounds]
    return companies, devices, list(bounds.values())
