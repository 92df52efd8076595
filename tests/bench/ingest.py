"""Readings per second, straight to the service and through the gateway, against the baseline."""

import time
import uuid
from datetime import UTC, datetime
from statistics import median

import asyncpg

from tests.bench.loads import PROTOBUF, Run, Send, closed_loop
from tests.bench.report import Figure, against
from tests.bench.rig import READINGS, SENSORS, Rig, running_baseline, running_noop
from tests.bench.wire_http1 import Http1Uploads
from tests.bench.wire_http2 import Http2Uploads

_ROUNDS = 3
_UPLOADS = 4000
_BASELINE_UPLOADS = 400
_COPY_ROWS = 500_000
_GOAL = 10.0


async def measure(rig: Rig) -> list[Figure]:
    """Interleave all of them in rounds and compare their medians."""
    key = rig.public_key_pem()
    databases = [await rig.make_database(name) for name in ("baseline", "rows_only")]
    with (
        running_baseline(databases[0], key, rows_only=False) as port,
        running_baseline(databases[1], key, rows_only=True) as rows_port,
        running_noop() as (noop_port, _),
    ):
        async with (
            Http2Uploads(rig.telemetry_port) as direct,
            Http1Uploads(rig.gateway_port, PROTOBUF) as gateway,
            Http2Uploads(noop_port) as noop,
            Http1Uploads(port, "application/json") as baseline,
            Http1Uploads(rows_port, "application/json") as rows_only,
        ):
            runs = await _in_turns(
                rig,
                ours={"direct": direct.send, "gateway": gateway.send, "no-op": noop.send},
                theirs={"baseline": baseline.send, "rows only": rows_only.send},
            )
    return _figures(runs, await _copy_rate(rig))


async def _in_turns(
    rig: Rig, *, ours: dict[str, Send], theirs: dict[str, Send]
) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {name: [] for name in (*ours, *theirs)}
    # The first round warms everything up.
    for _ in range(_ROUNDS + 1):
        for name, send in ours.items():
            runs[name].append(await closed_loop(send, rig.parcels(_UPLOADS)))
        for name, send in theirs.items():
            runs[name].append(await closed_loop(send, rig.json_parcels(_BASELINE_UPLOADS)))
    return {name: measured[1:] for name, measured in runs.items()}


def _figures(runs: dict[str, list[Run]], copy_rate: float) -> list[Figure]:
    rates = {name: median(run.readings_per_s for run in of) for name, of in runs.items()}
    return [
        against("ingest.direct", rates["direct"], "readings/s", rates["baseline"], at_least=_GOAL),
        # No goal: here one side has a gateway in front and the other has none.
        _compared("ingest.gateway", rates["gateway"], rates["baseline"]),
        _compared("ingest.direct.against_rows_only", rates["direct"], rates["rows only"]),
        _compared("ingest.direct.against_noop", rates["direct"], rates["no-op"]),
        _compared("ingest.direct.against_copy", rates["direct"], copy_rate),
        Figure(
            name="ingest.direct.uploads",
            value=rates["direct"] / READINGS,
            unit="uploads/s",
            baseline=rates["baseline"] / READINGS,
        ),
        *[_latency(f"ingest.{name}.ack_p99", runs[name]) for name in ("direct", "gateway")],
        _latency("ingest.baseline.ack_p99", runs["baseline"]),
    ]


def _compared(name: str, value: float, baseline: float) -> Figure:
    return Figure(
        name=name, value=value, unit="readings/s", baseline=baseline, ratio=value / baseline
    )


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
