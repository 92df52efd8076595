"""Server CPU of an upload with everything on, against a handler that does nothing."""

from statistics import median

import psutil

from tests.bench.loads import closed_loop
from tests.bench.report import Figure
from tests.bench.rig import Rig, running_noop
from tests.bench.wire_http2 import Http2Uploads

_ROUNDS = 7
_UPLOADS = 3000
_GOAL = 1.8


async def measure(rig: Rig) -> list[Figure]:
    """Interleave both seven times; the ratio is the median of the rounds' ratios."""
    ours_us, bare_us = [], []
    with running_noop() as (port, bare):
        for _ in range(_ROUNDS + 1):
            bare_us.append(await _cpu_us(rig, port, bare))
            ours_us.append(await _cpu_us(rig, rig.telemetry_port, rig.telemetry_process()))
    # The first round warms both up.
    ratio = median(ours / idle for ours, idle in zip(ours_us[1:], bare_us[1:], strict=True))
    return [
        Figure(
            name="cpu.upload",
            value=median(ours_us[1:]),
            unit="us",
            baseline=median(bare_us[1:]),
            ratio=ratio,
            goal=f"<= {_GOAL:g}x",
            met=ratio <= _GOAL,
        )
    ]


async def _cpu_us(rig: Rig, port: int, process: psutil.Process) -> float:
    parcels = rig.parcels(_UPLOADS)
    async with Http2Uploads(port) as uploads:
        before = process.cpu_times()
        await closed_loop(uploads.send, parcels)
        after = process.cpu_times()
    spent_s = after.user + after.system - before.user - before.system
    return spent_s / len(parcels) * 1e6
