"""Trips in CSV files: reading, writing and replaying them.

The first row names the columns. `time` is ISO 8601; `latitude_deg` and `longitude_deg` are the
position; every other column is a sensor, its unit last. An empty cell is a value that was not
there. Rows need not be evenly spaced, and values are taken as they are, bearings above 360 too.
"""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from devices.simulator.samples import DEGREE_E7, Floats, Positions, Samples

SAMPLE_TRIPS = Path(__file__).parent / "sample_trips"
"""The folder of trips that the repository holds."""

TRIPS_VARIABLE = "DASHTRACK_TRIPS_DIR"
"""The environment variable that names a folder of recorded trips."""

_TIME, _LATITUDE, _LONGITUDE = "time", "latitude_deg", "longitude_deg"


class TripInvalid(ValueError):
    """A file is not a trip."""


@dataclass(frozen=True, slots=True, eq=False)
class Trip:
    """A recorded trip, at the times when it was recorded."""

    name: str
    samples: Samples

    @property
    def duration_ms(self) -> int:
        """Return the time from the first row to the last."""
        return int(self.samples.times_ms[-1] - self.samples.times_ms[0])

    def starting_at(self, start_ms: int) -> Samples:
        """Return the samples shifted so that the first one is at a time."""
        return self.samples.shifted(start_ms - int(self.samples.times_ms[0]))


def find_trips(*folders: Path) -> list[Path]:
    """Return the trips in folders, without those in subfolders, in a stable order."""
    return [path for folder in folders for path in sorted(folder.glob("*.csv"))]


def recorded_trips_folder() -> Path | None:
    """Return the folder of recorded trips that the environment names, if it does."""
    named = os.environ.get(TRIPS_VARIABLE)
    return Path(named) if named else None


def read_trip(path: Path) -> Trip:
    """Read a trip.

    Raises:
        TripInvalid: With the line that is at fault.

    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if not {_TIME, _LATITUDE, _LONGITUDE} <= set(header) or len(set(header)) != len(header):
            raise TripInvalid(f"{path}: the first row must name each column once")
        times_ms: list[int] = []
        table: list[list[float]] = []
        for row in rows:
            try:
                time_ms, values = _parsed(header, row)
            except ValueError as err:
                raise TripInvalid(f"{path}:{rows.line_num}: {err}") from err
            if times_ms and time_ms <= times_ms[-1]:
                raise TripInvalid(f"{path}:{rows.line_num}: times must ascend")
            times_ms.append(time_ms)
            table.append(values)
    if not times_ms:
        raise TripInvalid(f"{path}: no rows")
    columns: Floats = np.array(table, np.float64).T
    by_name = {name: columns[index].copy() for index, name in enumerate(header) if name != _TIME}
    positions = Positions.from_degrees(by_name.pop(_LATITUDE), by_name.pop(_LONGITUDE))
    return Trip(path.stem, Samples(np.array(times_ms, np.int64), by_name, positions))


def write_trip(path: Path, samples: Samples) -> None:
    """Write samples as a trip."""
    positions = samples.positions
    if positions is None:
        raise TripInvalid("a trip has positions")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([_TIME, _LATITUDE, _LONGITUDE, *samples.sensors])
        for index, time_ms in enumerate(samples.times_ms.tolist()):
            fix = ["", ""]
            if positions.present[index]:
                at_e7 = positions.latitude_e7[index], positions.longitude_e7[index]
                fix = [f"{coordinate / DEGREE_E7:.7f}" for coordinate in at_e7]
            cells = (_cell(float(column[index])) for column in samples.sensors.values())
            writer.writerow([_timestamp(time_ms), *fix, *cells])


class Replay:
    """Samples a trip as if it happened now, again and again with a pause between."""

    def __init__(self, trip: Trip, start_ms: int, *, pause_ms: int = 60_000) -> None:
        self._trip = trip
        self._begins_ms = start_ms
        self._pause_ms = pause_ms
        self._taken = 0

    def take(self, until_ms: int) -> Samples:
        """Return the rows up to and including a time, of as many rounds as have begun."""
        parts: list[Samples] = []
        while True:
            round_ = self._trip.starting_at(self._begins_ms)
            end = int(np.searchsorted(round_.times_ms, until_ms, side="right"))
            parts.append(round_.slice(self._taken, end))
            self._taken = end
            if end < len(round_):
                return joined(parts)
            self._begins_ms += self._trip.duration_ms + self._pause_ms
            self._taken = 0


def joined(parts: Sequence[Samples]) -> Samples:
    """Return runs of samples with the same columns as one."""
    positions = [part.positions for part in parts if part.positions is not None]
    return Samples(
        np.concatenate([part.times_ms for part in parts]),
        {key: np.concatenate([part.sensors[key] for part in parts]) for key in parts[0].sensors},
        Positions(
            np.concatenate([run.latitude_e7 for run in positions]),
            np.concatenate([run.longitude_e7 for run in positions]),
            np.concatenate([run.present for run in positions]),
        )
        if positions
        else None,
    )


def _parsed(header: Sequence[str], row: Sequence[str]) -> tuple[int, list[float]]:
    if len(row) != len(header):
        raise ValueError(f"{len(row)} cells under {len(header)} columns")
    time_ms = 0
    values = []
    for name, cell in zip(header, row, strict=True):
        if name == _TIME:
            time_ms = _unix_ms(cell)
            values.append(0.0)
        else:
            values.append(float(cell) if cell.strip() else np.nan)
    return time_ms, values


def _unix_ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    # In whole numbers: a float of seconds would not hold every millisecond.
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _timestamp(unix_ms: int) -> str:
    moment = datetime.fromtimestamp(unix_ms // 1000, UTC).replace(microsecond=unix_ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cell(value: float) -> str:
    if np.isnan(value):
        return ""
    return repr(value).removesuffix(".0")
