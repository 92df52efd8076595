"""Cuts samples into runs that fit into one batch each."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from devices.simulator.samples import Flags, Positions, Samples
from devices.simulator.wire import OFFSET_MS_MAX, POINTS_MAX

_JUMP_E7_MAX = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What an upload may hold; each acknowledgement may change it."""

    body_bytes_max: int = 65_536
    readings_max: int = 10_000


DEFAULT_LIMITS = Limits()
"""What holds until a server has said otherwise."""


def cut(samples: Samples, limits: Limits) -> Iterator[Samples]:
    """Yield the samples in runs within the limits, in order.

    A run also ends before a gap, or before a jump over the antimeridian, that no delta can hold.
    """
    count = len(samples)
    breaks = np.zeros(count, np.bool_)
    breaks[1:] |= np.diff(samples.times_ms) > OFFSET_MS_MAX
    if samples.positions is not None:
        breaks |= _jumps(samples.positions)
    points_max = max(1, min(POINTS_MAX, limits.readings_max // max(1, samples.column_count)))
    edges = [0, *np.flatnonzero(breaks[1:] if count else breaks) + 1, count]
    for start, stop in itertools.pairwise(edges):
        for begin in range(start, stop, points_max):
            yield samples.slice(begin, min(begin + points_max, stop))


def _jumps(positions: Positions) -> Flags:
    """Return where a position is too far from the one before it for a 32-bit delta."""
    jumps = np.zeros(positions.present.size, np.bool_)
    fixes = np.flatnonzero(positions.present)
    for coordinates in (positions.latitude_e7, positions.longitude_e7):
        jumps[fixes[1:]] |= np.abs(np.diff(coordinates[fixes])) > _JUMP_E7_MAX
    return jumps
