"""Samples: what a board measured, as columns over one time axis."""

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DEGREE_E7 = 10_000_000
"""Steps of a position in one degree."""


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """A position for each point of the axis, in degrees times 10^7."""

    latitude_e7: Integers
    longitude_e7: Integers
    present: Flags
    """False where the receiver had no fix; the coordinates there mean nothing."""

    @classmethod
    def from_degrees(cls, latitude_deg: Floats, longitude_deg: Floats) -> Self:
        """Make positions from degrees; NaN in either coordinate means no fix."""
        present = np.isfinite(latitude_deg) & np.isfinite(longitude_deg)
        return cls(_to_e7(latitude_deg, present), _to_e7(longitude_deg, present), present)

    def at(self, points: slice | Integers) -> Self:
        """Return the positions of some points."""
        return type(self)(self.latitude_e7[points], self.longitude_e7[points], self.present[points])


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Columns over one time axis; the unit of everything the simulator passes around."""

    times_ms: Integers
    """When each point was sampled, ascending."""
    sensors: Mapping[str, Floats]
    """One value for each point, by the sensor's key; NaN where there was none."""
    positions: Positions | None = None

    def __post_init__(self) -> None:
        lengths = {column.size for column in self.sensors.values()}
        if self.positions is not None:
            lengths |= {
                self.positions.latitude_e7.size,
                self.positions.longitude_e7.size,
                self.positions.present.size,
            }
        if lengths - {self.times_ms.size}:
            raise ValueError(
                f"columns of {sorted(lengths)} points over an axis of {self.times_ms.size}"
            )

    def __len__(self) -> int:
        """Return the number of points."""
        return self.times_ms.size

    @property
    def column_count(self) -> int:
        """Return the number of columns, the positions being one."""
        return len(self.sensors) + (self.positions is not None)

    @property
    def reading_count(self) -> int:
        """Return the number of values that are there; a position is one."""
        values = sum(int(np.count_nonzero(~np.isnan(v))) for v in self.sensors.values())
        fixes = 0 if self.positions is None else int(np.count_nonzero(self.positions.present))
        return values + fixes

    def slice(self, start: int, stop: int) -> Self:
        """Return a run of points."""
        return self.at(builtins.slice(start, stop))

    def at(self, points: builtins.slice | Integers) -> Self:
        """Return some of the points, by their indices in ascending order."""
        return type(self)(
            self.times_ms[points],
            {key: values[points] for key, values in self.sensors.items()},
            None if self.positions is None else self.positions.at(points),
        )

    def shifted(self, by_ms: int) -> Self:
        """Return the same samples at other times."""
        return type(self)(self.times_ms + by_ms, self.sensors, self.positions)


def _to_e7(degrees: Floats, present: Flags) -> Integers:
    scaled: Floats = np.rint(np.where(present, degrees, 0.0) * DEGREE_E7)
    return scaled.astype(np.int64)
