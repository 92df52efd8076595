"""Bytes that a reading takes on disk: tables, indexes, TOAST and the log of commits."""

import asyncpg

from tests.bench.loads import closed_loop
from tests.bench.report import Figure
from tests.bench.rig import READINGS, Rig
from tests.bench.wire_http2 import Http2Uploads

_UPLOADS = 8000
_GOAL_BYTES = 8.0

_SIZE = """
SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_LSN = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"


async def measure(rig: Rig) -> list[Figure]:
    """Store a known number of packed-float readings and see what the database has grown by."""
    connection = await asyncpg.connect(rig.database_dsn("telemetry"))
    async with Http2Uploads(rig.telemetry_port) as uploads:
        await closed_loop(uploads.send, rig.parcels(100))
        size, position = [await connection.fetchval(query) for query in (_SIZE, _LSN)]
        run = await closed_loop(uploads.send, rig.parcels(_UPLOADS))
    grown, written = (
        await connection.fetchval(_SIZE) - size,
        await connection.fetchval(_LSN) - position,
    )
    await connection.close()
    body_bytes = len(rig.parcels(1)[0].body)
    per_reading = grown / run.readings
    return [
        Figure(
            name="disk.bytes_per_reading",
            value=per_reading,
            unit="bytes",
            goal=f"<= {_GOAL_BYTES:g} bytes",
            met=per_reading <= _GOAL_BYTES,
        ),
        Figure(name="wal.bytes_per_reading", value=float(written) / run.readings, unit="bytes"),
        Figure(name="wire.bytes_per_reading", value=body_bytes / READINGS, unit="bytes"),
    ]
