"""What people use today, doing the same job: FastAPI, JSON, asyncpg, a row per reading.

Written as their documentation suggests and as fast as that goes: uvloop and httptools, pydantic's
compiled parser, a pool, prepared statements, one commit per request, a cache of verified tokens.
The same job is: verify the board, refuse one that is disabled, recognise a repeated upload and a
conflicting one, keep every reading and each sensor's newest, tell whoever watches, count, trace.
With `BENCH_ROWS_ONLY=1` it does nothing but verify the token and insert the rows.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, Any

import asyncpg
import jwt
from fastapi import FastAPI, Header, HTTPException, Request
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from prometheus_client import Counter, Histogram
from pydantic import BaseModel, Field

ROWS_ONLY = os.environ.get("BENCH_ROWS_ONLY") == "1"
UPLOADS = Counter("uploads_total", "Uploads by outcome.", ["outcome"])
READINGS = Counter("readings_total", "Readings that were stored.")
DURATION = Histogram("upload_duration_seconds", "Time from request to commit.")

SCHEMA = """
create table device (device_id text primary key, disabled boolean not null default false);
create table upload (
    device_id text, boot_id text, seq bigint, digest bytea not null,
    received_at timestamptz not null default now(),
    primary key (device_id, boot_id, seq)
);
create table reading (
    device_id text, sensor text, sampled_at timestamptz, value double precision not null,
    primary key (device_id, sensor, sampled_at)
);
create table newest (
    device_id text, sensor text, sampled_at timestamptz not null, value double precision not null,
    primary key (device_id, sensor)
)
"""
INSERT = """
insert into reading (device_id, sensor, sampled_at, value) values ($1, $2, $3, $4)
on conflict do nothing
"""
INSERT_UPLOAD = """
insert into upload (device_id, boot_id, seq, digest) values ($1, $2, $3, $4)
on conflict do nothing returning true
"""
NEWEST = """
insert into newest (device_id, sensor, sampled_at, value) values ($1, $2, $3, $4)
on conflict (device_id, sensor) do update
set sampled_at = excluded.sampled_at, value = excluded.value
where excluded.sampled_at >= newest.sampled_at
"""


class ReadingRow(BaseModel):
    """One reading, as a JSON object."""

    sensor: str = Field(max_length=32)
    time: datetime
    value: float


class Upload(BaseModel):
    """What a board posts."""

    boot_id: str
    seq: int
    readings: list[ReadingRow] = Field(max_length=10_000)


@lru_cache(maxsize=10_000)
def device_of(token: str) -> str:
    """Verify a token and return the device's id."""
    claims = jwt.decode(
        token, os.environ["BENCH_PUBLIC_KEY"], algorithms=["EdDSA"], audience="dashtrack-device"
    )
    return str(claims["sub"])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the pool and make the tables."""
    async with asyncpg.create_pool(os.environ["BENCH_DATABASE_DSN"], max_size=10) as pool:
        await pool.execute(SCHEMA)
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)
if not ROWS_ONLY:
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(0.01)))
    make_instrumentor: Any = AsyncPGInstrumentor
    make_instrumentor().instrument(tracer_provider=provider)
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)


@app.post("/v1/telemetry")
async def upload(
    body: Upload, request: Request, authorization: Annotated[str, Header()]
) -> dict[str, int]:
    """Store a board's readings and acknowledge them once they are committed."""
    try:
        device_id = device_of(authorization.removeprefix("Bearer "))
    except jwt.InvalidTokenError as err:
        raise HTTPException(401) from err
    rows = [(device_id, row.sensor, row.time, row.value) for row in body.readings]
    async with app.state.pool.acquire() as connection:
        if ROWS_ONLY:
            async with connection.transaction():
                await connection.executemany(INSERT, rows)
        else:
            digest = blake2b(await request.body(), digest_size=16).digest()
            with DURATION.time():
                await _keep(connection, device_id, body, digest, rows)
    return {"stored": len(rows)}


async def _keep(
    connection: asyncpg.Connection,
    device_id: str,
    body: Upload,
    digest: bytes,
    rows: list[tuple[str, str, datetime, float]],
) -> None:
    if await connection.fetchval("select disabled from device where device_id = $1", device_id):
        UPLOADS.labels("disabled").inc()
        raise HTTPException(403)
    key = (device_id, body.boot_id, body.seq)
    async with connection.transaction():
        if not await connection.fetchval(INSERT_UPLOAD, *key, digest):
            return await _compare(connection, key, digest)
        await connection.executemany(INSERT, rows)
        newest = {row[1]: row for row in sorted(rows, key=lambda row: row[2])}
        await connection.executemany(NEWEST, sorted(newest.values()))
        await connection.execute("select pg_notify('readings', $1)", device_id)
    UPLOADS.labels("stored").inc()
    READINGS.inc(len(rows))
    return None


async def _compare(
    connection: asyncpg.Connection, key: tuple[str, str, int], digest: bytes
) -> None:
    query = "select digest from upload where device_id = $1 and boot_id = $2 and seq = $3"
    if await connection.fetchval(query, *key) != digest:
        UPLOADS.labels("conflicting").inc()
        raise HTTPException(409)
    UPLOADS.labels("repeated").inc()
