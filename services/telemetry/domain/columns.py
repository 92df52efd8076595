"""Readings as columns: numpy arrays of times (milliseconds since 1970) and of values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Degrees = npt.NDArray[np.int64]
"""Degrees times 10^7, exact."""
Numbers = Values | Degrees


@dataclass(frozen=True, slots=True)
class Series:
    """The readings of one sensor; what is missing is left out."""

    times_ms: Times
    values: Values

    def __len__(self) -> int:
        return len(self.times_ms)


@dataclass(frozen=True, slots=True)
class Track:
    """Where a device was; what is missing is left out."""

    times_ms: Times
    latitudes_e7: Degrees
    longitudes_e7: Degrees

    def __len__(self) -> int:
        return len(self.times_ms)


@dataclass(frozen=True, slots=True)
class Columns:
    """All readings of one batch."""

    sensors: Mapping[str, Series]
    """By key, in the batch's order; a sensor without a single value has an empty series."""
    track: Track


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers by time: what series and tracks have in common when a range is cut from them."""

    times_ms: Times
    rows: Sequence[Numbers]

    @classmethod
    def joined(cls, grids: Sequence[Self], width: int) -> Self:
        """Put grids one after the other."""
        if not grids:
            return cls(np.empty(0, np.int64), [np.empty(0, np.int64)] * width)
        return cls(
            np.concatenate([grid.times_ms for grid in grids]),
            [np.concatenate([grid.rows[i] for grid in grids]) for i in range(width)],
        )

    def between(self, start_ms: int, end_ms: int) -> Self:
        """Keep the times from start (included) to end (excluded)."""
        return self._where((self.times_ms >= start_ms) & (self.times_ms < end_ms))

    def in_order(self) -> Self:
        """Sort by time; of rows with the same time the last one stays."""
        # A stable sort of the reverse puts the last of each equal run first, where unique looks.
        times, first = np.unique(self.times_ms[::-1], return_index=True)
        chosen = len(self.times_ms) - 1 - first
        return type(self)(times, [row[chosen] for row in self.rows])

    def head(self, count: int) -> Self:
        """Keep the first rows."""
        return type(self)(self.times_ms[:count], [row[:count] for row in self.rows])

    def __len__(self) -> int:
        return len(self.times_ms)

    def _where(self, chosen: npt.NDArray[np.bool_]) -> Self:
        return type(self)(self.times_ms[chosen], [row[chosen] for row in self.rows])


def present_only(times_ms: Times, values: Values) -> Series:
    """Make a series of a column in which NaN means missing."""
    present = ~np.isnan(values)
    if present.all():
        return Series(times_ms, values)
    return Series(times_ms[present], values[present])
