"""`make bench`: measure, write the reports, and fail if a goal is missed."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench import cpu, disk, identity, ingest, report
from tests.bench.report import Figure
from tests.bench.rig import Rig, running_rig

MEASUREMENTS: dict[str, Callable[[Rig], Awaitable[list[Figure]]]] = {
    "ingest": ingest.measure,
    "cpu": cpu.measure,
    "disk": disk.measure,
    "logins": identity.measure_logins,
    "tokens": identity.measure_tokens,
    "lists": identity.measure_lists,
    "reads": identity.measure_reads,
}

_EXIT_TERMINATED = 128 + signal.SIGTERM


async def _measure(rig: Rig, names: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    for name in names:
        print(f"measuring {name} ...", flush=True)
        measured = await MEASUREMENTS[name](rig)
        for figure in measured:
            print("  " + report.sentence(figure), flush=True)
        figures += measured
    return figures


def main() -> int:
    """Run what was asked for; the exit status says whether every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*MEASUREMENTS, []], help="measure only these")
    names = parser.parse_args().only or list(MEASUREMENTS)
    # The stack is a process of its own, which nobody would end: leave by way of the blocks below.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_EXIT_TERMINATED))
    with tempfile.TemporaryDirectory() as folder, running_rig(Path(folder) / "state") as rig:
        figures = asyncio.run(_measure(rig, names))
    report.write(figures)
    missed = [figure.name for figure in figures if figure.met is False]
    if missed:
        print(f"goals missed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
