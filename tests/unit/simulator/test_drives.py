"""Invented drives are plausible, and the same seed always invents the same one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.simulator.drives import DECIMALS, Drive
from devices.simulator.roads import CITIES, METRES_PER_DEGREE
from devices.simulator.samples import DEGREE_E7, Samples
from devices.simulator.trips import joined
from devices.simulator.wire import BatchKey, encode_batch

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


@pytest.fixture(scope="module", params=range(3))
def hour(request: pytest.FixtureRequest) -> Samples:
    """An hour of driving."""
    return Drive(request.param, START_MS, city=CITIES[0]).take(START_MS + HOUR_MS - 1)


@settings(max_examples=20)
@given(
    st.integers(0, 1 << 32),
    st.lists(st.integers(0, 40_000), min_size=1, max_size=5),
    st.sampled_from([200, 1000, 2500]),
)
def test_a_drive_is_the_same_however_it_is_taken(
    seed: int, pauses_ms: list[int], step_ms: int
) -> None:
    """Seed and time decide, not how often somebody looks."""
    ends_ms = (START_MS + np.cumsum(pauses_ms)).tolist()
    drive = Drive(seed, START_MS, step_ms=step_ms)
    in_parts = joined([drive.take(end_ms) for end_ms in ends_ms])
    at_once = Drive(seed, START_MS, step_ms=step_ms).take(ends_ms[-1])

    key = BatchKey(1, 0)
    assert encode_batch(key, in_parts) == encode_batch(key, at_once)


def test_time_that_does_not_pass_gives_no_samples() -> None:
    """Looking twice at once samples once."""
    drive = Drive(1, START_MS)
    assert len(drive.take(START_MS)) == 1
    assert len(drive.take(START_MS)) == 0
    assert len(drive.take(START_MS - 1)) == 0


def test_an_hour_has_one_sample_a_step(hour: Samples) -> None:
    """The axis is even."""
    assert len(hour) == 3600
    assert set(np.diff(hour.times_ms)) == {1000}


def test_the_car_moves_as_a_car_does(hour: Samples) -> None:
    """It drives, stops, and neither brakes nor accelerates like a rocket."""
    speed_kmh = hour.sensors["speed_kmh"]
    assert speed_kmh.min() == 0
    assert 40 < speed_kmh.max() < 130
    assert np.abs(np.diff(speed_kmh)).max() < 20
    stops = (speed_kmh[1:] == 0) & (speed_kmh[:-1] > 0)
    assert stops.sum() >= 5


def test_the_odometer_agrees_with_the_speed(hour: Samples) -> None:
    """Both tell of the same way, to a percent."""
    driven_m = float(np.ptp(hour.sensors["odometer_m"]))
    assert driven_m == pytest.approx(hour.sensors["speed_kmh"].sum() / 3.6, rel=0.01)
    assert (np.diff(hour.sensors["odometer_m"]) >= 0).all()


def test_the_engine_sleeps_while_the_ignition_is_off(hour: Samples) -> None:
    """Engine values are missing exactly then, and the car stands."""
    off = hour.sensors["ignition_on"] == 0
    for key in ("engine_rpm", "coolant_temperature_c", "throttle_percent"):
        np.testing.assert_array_equal(np.isnan(hour.sensors[key]), off)
    assert off.any()
    assert (hour.sensors["speed_kmh"][off] == 0).all()


def test_fuel_is_burnt_and_the_engine_warms_up(hour: Samples) -> None:
    """Levels stay within the tank and the thermostat."""
    fuel = hour.sensors["fuel_level_percent"]
    assert 0 <= fuel.min() < fuel[0] <= 100
    coolant = hour.sensors["coolant_temperature_c"]
    assert 10 < np.nanmin(coolant) <= np.nanmax(coolant) <= 95


def test_the_track_stays_around_the_city_and_never_jumps(hour: Samples) -> None:
    """Fixes are near the road; a second apart they are metres apart."""
    positions = hour.positions
    assert positions is not None
    assert 0.9 < positions.present.mean() < 1
    shrink = np.cos(np.radians(CITIES[0].latitude_deg))
    north_m = positions.latitude_e7 / DEGREE_E7 - CITIES[0].latitude_deg
    east_m = (positions.longitude_e7 / DEGREE_E7 - CITIES[0].longitude_deg) * shrink
    track_m = np.column_stack((north_m, east_m))[positions.present] * METRES_PER_DEGREE
    assert np.hypot(*track_m.T).max() < 15_000
    both = (positions.present[1:] & positions.present[:-1])[: len(track_m) - 1]
    steps_m = np.hypot(*np.diff(track_m, axis=0).T)
    assert np.quantile(steps_m[both[: steps_m.size]], 0.99) < 40


def test_values_have_the_decimals_of_their_sensors(hour: Samples) -> None:
    """What a sensor can't resolve is not sent: that keeps batches small."""
    for key, decimals in DECIMALS.items():
        values = hour.sensors[key][~np.isnan(hour.sensors[key])]
        np.testing.assert_array_equal(np.round(values, decimals), values)
    size_bytes = sum(
        len(encode_batch(BatchKey(1 << 63, 0), hour.slice(start, start + 60)))
        for start in range(0, 3600, 60)
    )
    assert size_bytes / hour.reading_count < 2.0
