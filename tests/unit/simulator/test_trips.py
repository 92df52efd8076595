"""Trips are read as they stand in their files, flaws and all, and replayed at other times."""

from pathlib import Path

import numpy as np
import pytest

from devices.simulator.record import record
from devices.simulator.samples import Samples
from devices.simulator.trips import (
    SAMPLE_TRIPS,
    Replay,
    Trip,
    TripInvalid,
    find_trips,
    joined,
    read_trip,
    write_trip,
)

HEADER = "time,latitude_deg,longitude_deg,speed_kmh,bearing_deg\n"
NOW_MS = 1_700_000_000_000


@pytest.fixture
def trip(tmp_path: Path) -> Trip:
    """A short trip with uneven steps, empty cells and a bearing above 360."""
    path = tmp_path / "short.csv"
    path.write_text(
        HEADER + "2020-02-28T11:54:19Z,51.6813682,7.8089091,6.01714,351.44\n"
        "2020-02-28T11:54:24.250Z,,,0,\n"
        "2020-02-28T11:54:29Z,-51.6814072,-7.8088653,,507.777\n"
    )
    return read_trip(path)


def test_a_trip_is_read_as_it_stands(trip: Trip) -> None:
    """Empty cells are missing values; nothing is rounded or put right."""
    assert trip.samples.times_ms.tolist() == [1582890859000, 1582890864250, 1582890869000]
    np.testing.assert_array_equal(trip.samples.sensors["speed_kmh"], [6.01714, 0, np.nan])
    np.testing.assert_array_equal(trip.samples.sensors["bearing_deg"], [351.44, np.nan, 507.777])
    positions = trip.samples.positions
    assert positions is not None
    assert positions.present.tolist() == [True, False, True]
    assert positions.latitude_e7[[0, 2]].tolist() == [516813682, -516814072]
    assert positions.longitude_e7[[0, 2]].tolist() == [78089091, -78088653]


def test_a_replay_has_the_steps_of_the_trip_at_another_time(trip: Trip) -> None:
    """Rows come when their time has come, and after a pause the trip begins anew."""
    replay = Replay(trip, NOW_MS, pause_ms=30_000)

    taken = [
        replay.take(NOW_MS + after_ms).times_ms - NOW_MS
        for after_ms in (-1, 0, 5_250, 9_000, 10_000, 45_250)
    ]
    assert [times.tolist() for times in taken] == [[], [0], [5_250], [], [10_000], [40_000, 45_250]]


def test_a_late_look_at_a_replay_sees_every_round(trip: Trip) -> None:
    """However long nobody looked, nothing is skipped."""
    replay = Replay(trip, NOW_MS, pause_ms=30_000)
    rounds = replay.take(NOW_MS + 120_000)
    assert (rounds.times_ms - NOW_MS).tolist() == [
        start + offset for start in (0, 40_000, 80_000) for offset in (0, 5_250, 10_000)
    ] + [120_000]
    assert rounds.positions is not None
    assert rounds.positions.present.size == 10


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "the first row"),
        ("time,speed_kmh\n", "the first row"),
        (HEADER.replace("bearing_deg", "speed_kmh"), "the first row"),
        (HEADER, "no rows"),
        (HEADER + "2020-02-28T11:54:19Z,51,7,1\n", ":2: 4 cells under 5 columns"),
        (HEADER + "yesterday,51,7,1,2\n", ":2:"),
        (HEADER + "2020-02-28T11:54:19,51,7,1,2\n", "no time zone"),
        (HEADER + "2020-02-28T11:54:19Z,51,7,fast,2\n", ":2:"),
        (HEADER + "2020-02-28T11:54:19Z,51,7,1,2\n" * 2, ":3: times must ascend"),
    ],
)
def test_a_file_that_is_no_trip_is_refused_with_its_line(
    tmp_path: Path, text: str, line: str
) -> None:
    """Whoever made the file learns where to look."""
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(TripInvalid, match=line):
        read_trip(path)


def test_a_written_trip_is_read_back_the_same(trip: Trip, tmp_path: Path) -> None:
    """Writing loses nothing."""
    path = tmp_path / "again.csv"
    write_trip(path, trip.samples)
    again = read_trip(path).samples
    assert_same(again, trip.samples)


def test_the_sample_trip_is_what_its_seed_gives() -> None:
    """The generated trip can be made again, and has the flaws of recorded ones."""
    (path,) = find_trips(SAMPLE_TRIPS)
    trip = read_trip(path)
    assert_same(trip.samples, record(seed=25, duration_min=15.0))
    assert len(set(np.diff(trip.samples.times_ms))) > 5
    assert np.isnan(trip.samples.sensors["speed_kmh"]).any()
    assert np.nanmax(trip.samples.sensors["bearing_deg"]) > 360
    assert trip.samples.positions is not None
    assert not trip.samples.positions.present.all()


def test_no_parts_of_a_track_are_lost_when_joined(trip: Trip) -> None:
    """Cutting and joining gives the same samples."""
    assert_same(joined([trip.samples.slice(0, 1), trip.samples.slice(1, 3)]), trip.samples)


def assert_same(found: Samples, expected: Samples) -> None:
    """Compare samples, missing values included."""
    np.testing.assert_array_equal(found.times_ms, expected.times_ms)
    assert found.sensors.keys() == expected.sensors.keys()
    for key, values in expected.sensors.items():
        np.testing.assert_array_equal(found.sensors[key], values)
    assert found.positions is not None
    assert expected.positions is not None
    present = expected.positions.present
    np.testing.assert_array_equal(found.positions.present, present)
    for ours, theirs in (
        (found.positions.latitude_e7, expected.positions.latitude_e7),
        (found.positions.longitude_e7, expected.positions.longitude_e7),
    ):
        np.testing.assert_array_equal(ours[present], theirs[present])
