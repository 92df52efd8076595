"""Readings per second, straight to the service and through the gateway, against the baseline."""

import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from statistics import median

import asyncpg

from tests.bench.loads import PROTOBUF, Parcel, Run, closed_loop
from tests.bench.report import Figure, against
from tests.bench.rig import READINGS, SENSORS, Rig, running_baseline
from tests.bench.wire_http1 import Http1Uploads
from tests.bench.wire_http2 import Http2Uploads

_ROUNDS = 3
_UPLOADS = 4000
_BASELINE_UPLOADS = 400
_COPY_ROWS = 500_000
_GOAL = 10.0


async def measure(rig: Rig) -> list[Figure]:
    """Interleave the three in rounds and compare their medians."""
    direct, gateway, baseline = [], [], []
    dsn = await rig.make_database("baseline")
    with running_baseline(dsn, rig.public_key_pem()) as port:
        async with (
            Http2Uploads(rig.telemetry_port) as ours,
            Http1Uploads(rig.gateway_port, PROTOBUF) as through,
            Http1Uploads(port, "application/json") as theirs,
        ):
            await _warm_up(rig, ours, through, theirs)
            for _ in range(_ROUNDS):
                direct.append(await closed_loop(ours.send, rig.parcels(_UPLOADS)))
                gateway.append(await closed_loop(through.send, rig.parcels(_UPLOADS)))
                baseline.append(await closed_loop(theirs.send, rig.json_parcels(_BASELINE_UPLOADS)))
    rate = median(run.readings_per_s for run in baseline)
    copy_rate = await _copy_rate(rig)
    return [
        _rate("ingest.direct", direct, rate),
        _rate("ingest.gateway", gateway, rate),
        Figure(
            name="ingest.direct.uploads",
            value=median(run.uploads_per_s for run in direct),
            unit="uploads/s",
            baseline=rate / READINGS,
        ),
        _latency("ingest.direct.ack_p99", direct),
        _latency("ingest.gateway.ack_p99", gateway),
        _latency("ingest.baseline.ack_p99", baseline),
        Figure(
            name="ingest.direct.against_copy",
            value=median(run.readings_per_s for run in direct),
            unit="readings/s",
            baseline=copy_rate,
            ratio=median(run.readings_per_s for run in direct) / copy_rate,
        ),
    ]


async def _warm_up(
    rig: Rig, ours: Http2Uploads, through: Http1Uploads, theirs: Http1Uploads
) -> None:
    loads: list[tuple[Callable[[Parcel], Awaitable[None]], list[Parcel]]] = [
        (ours.send, rig.parcels(500)),
        (through.send, rig.parcels(500)),
        (theirs.send, rig.json_parcels(50)),
    ]
    for send, parcels in loads:
        await closed_loop(send, parcels)


def _rate(name: str, runs: list[Run], baseline: float) -> Figure:
    value = median(run.readings_per_s for run in runs)
    return against(name, value, "readings/s", baseline, at_least=_GOAL)


def _latency(name: str, runs: list[Run]) -> Figure:
    return Figure(name=name, value=median(run.latency_ms(0.99) for run in runs), unit="ms")


async def _copy_rate(rig: Rig) -> float:
    """Rows per second of PostgreSQL's own fastest way in: binary COPY, no key, one transaction."""
    connection = await asyncpg.connect(await rig.make_database("copied"))
    await connection.execute(
        "CREATE TABLE reading (device_id uuid, sensor_id int, sampled_at timestamptz, value float4)"
    )
    device_id, now = uuid.uuid4(), datetime.now(UTC)
    rows = [(device_id, number % SENSORS, now, 1.5) for number in range(_COPY_ROWS)]
    began = time.perf_counter()
    await connection.copy_records_to_table("reading", records=rows)
    seconds = time.perf_counter() - began
    await connection.close()
    return _COPY_ROWS / seconds
