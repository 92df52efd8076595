"""Samples are cut into runs that fit, and nothing is lost between them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from devices.simulator.batching import DEFAULT_LIMITS, Limits, cut
from devices.simulator.samples import Positions, Samples
from devices.simulator.wire import BatchKey, encode_batch
from tests.unit.simulator.strategies import samples


@given(samples(), st.integers(1, 60))
def test_runs_fit_and_together_are_the_samples(measured: Samples, readings_max: int) -> None:
    """Order and values survive the cut, and each run encodes."""
    runs = list(cut(measured, Limits(readings_max=readings_max)))

    times_ms = np.concatenate([run.times_ms for run in runs])
    np.testing.assert_array_equal(times_ms, measured.times_ms)
    for run in runs:
        assert len(run) == 1 or len(run) * run.column_count <= readings_max
        encode_batch(BatchKey(1, 0), run)


def test_no_samples_are_no_runs() -> None:
    """A source that has nothing yet makes no batch."""
    assert list(cut(Samples(np.array([], np.int64), {}), DEFAULT_LIMITS)) == []


def test_a_gap_that_no_offset_holds_ends_a_run() -> None:
    """Fifty days between two points need two batches."""
    days_50_ms = 50 * 86_400_000
    gapped = Samples(np.array([0, 1000, days_50_ms]), {"x": np.zeros(3)})
    assert [len(run) for run in cut(gapped, DEFAULT_LIMITS)] == [2, 1]


def test_crossing_the_antimeridian_ends_a_run() -> None:
    """Around the world in one step is more than a delta holds, even with a point without fix."""
    positions = Positions.from_degrees(
        np.array([0.0, np.nan, 0.0, 0.0]), np.array([179.9, np.nan, -179.9, -179.8])
    )
    crossing = Samples(1000 * np.arange(4), {"x": np.zeros(4)}, positions)
    assert [len(run) for run in cut(crossing, DEFAULT_LIMITS)] == [2, 2]
