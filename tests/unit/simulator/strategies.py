"""Random samples for property tests."""

import numpy as np
from hypothesis import strategies as st

from devices.simulator.samples import Floats, Integers, Positions, Samples

POINTS_MAX = 40

keys = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
boot_ids = st.integers(0, (1 << 64) - 1)


@st.composite
def axes(draw: st.DrawFn) -> Integers:
    """Times that ascend, by a fixed step or unevenly."""
    count = draw(st.integers(1, POINTS_MAX))
    start = draw(st.integers(0, 1 << 42))
    gap = st.integers(1, (1 << 32) - 1)
    if draw(st.booleans()):
        return start + draw(gap) * np.arange(count, dtype=np.int64)
    gaps = draw(st.lists(gap, min_size=count - 1, max_size=count - 1))
    return start + np.cumsum(np.array([0, *gaps], np.int64))


@st.composite
def columns(draw: st.DrawFn, count: int) -> Floats:
    """Values of one kind: decimals, counters or any floats; some may be missing."""
    decimals = draw(st.integers(0, 9))
    kind = draw(
        st.sampled_from(
            [
                st.integers(-(10**6), 10**6).map(lambda scaled: scaled / 10.0**decimals),
                st.integers(0, 1 << 53).map(float),
                st.floats(allow_nan=False),
            ]
        )
    )
    slot = st.one_of(kind, st.just(np.nan)) if draw(st.booleans()) else kind
    return np.array(draw(st.lists(slot, min_size=count, max_size=count)), np.float64)


@st.composite
def tracks(draw: st.DrawFn, count: int) -> Positions:
    """Positions anywhere on the eastern or the western half, with or without gaps."""
    west = draw(st.booleans())
    longitudes = st.integers(-1_800_000_000, 0) if west else st.integers(0, 1_800_000_000)
    latitudes = st.integers(-900_000_000, 900_000_000)
    present = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    return Positions(
        np.array(draw(st.lists(latitudes, min_size=count, max_size=count)), np.int64),
        np.array(draw(st.lists(longitudes, min_size=count, max_size=count)), np.int64),
        np.array(present, np.bool_),
    )


@st.composite
def samples(draw: st.DrawFn) -> Samples:
    """Columns over one axis."""
    times_ms = draw(axes())
    count = times_ms.size
    sensors = {key: draw(columns(count)) for key in draw(st.lists(keys, max_size=4, unique=True))}
    return Samples(times_ms, sensors, draw(st.none() | tracks(count)))
