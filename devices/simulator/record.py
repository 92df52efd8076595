"""Records an invented drive as a trip, with the flaws of real ones: gaps and empty cells.

`python -m devices.simulator.record --seed 25 FILE.csv` made the trip in `sample_trips`.
"""

import argparse
import random
from pathlib import Path

import numpy as np

from devices.simulator.drives import Drive
from devices.simulator.samples import Floats, Samples
from devices.simulator.trips import write_trip

START_MS = 1_772_437_512_250
"""2 March 2026, 07:45:12.250 UTC: a trip in a file has a date of its own."""

_STEP_MS = 250


def record(seed: int, duration_min: float) -> Samples:
    """Return a drive sampled unevenly, with values missing and some bearings above 360."""
    rng = random.Random(seed)
    end_ms = START_MS + round(duration_min * 60_000)
    drive = Drive(seed, START_MS, step_ms=_STEP_MS).take(end_ms)
    chosen: list[int] = []
    index = 0
    while index < len(drive):
        chosen.append(index)
        gap_s = rng.uniform(20.0, 90.0) if rng.random() < 0.02 else rng.uniform(4.0, 6.5)
        index += max(1, round(gap_s * 1000 / _STEP_MS))
    rows = drive.at(np.array(chosen))
    sensors = {
        key: _with_gaps(values, rng, bearing=key == "bearing_deg")
        for key, values in rows.sensors.items()
    }
    return Samples(rows.times_ms, sensors, rows.positions)


def _with_gaps(values: Floats, rng: random.Random, *, bearing: bool) -> Floats:
    flawed = values.copy()
    for index in range(flawed.size):
        if rng.random() < (0.2 if bearing else 0.03):
            flawed[index] = np.nan
        elif bearing and rng.random() < 0.05:
            # Some receivers count on past a full turn.
            flawed[index] = round(flawed[index] + 360.0, 1)
    return flawed


def main() -> None:
    """Write the trip that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m devices.simulator.record", description=__doc__)
    parser.add_argument("file", type=Path, help="the CSV file to write")
    parser.add_argument("--seed", type=int, default=25, help="the same seed gives the same trip")
    parser.add_argument("--minutes", type=float, default=15.0, help="its length (default: 15)")
    arguments = parser.parse_args()
    samples = record(arguments.seed, arguments.minutes)
    write_trip(arguments.file, samples)
    print(f"{arguments.file}: {len(samples)} rows")


if __name__ == "__main__":
    main()
