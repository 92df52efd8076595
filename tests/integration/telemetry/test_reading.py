"""Stored readings as people ask for them."""

import random
import time
import uuid
from typing import Any

import grpc
import pytest
from dashtrack.device.v1.reading_batch_pb2 import PositionColumn, ReadingBatch, SensorColumn
from dashtrack.telemetry.v1 import reading_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from services.chassis.identity import Role
from tests.fixtures.refusals import refused
from tests.fixtures.tokens import TokenMint, bearer
from tests.integration.telemetry.conftest import Fleet, batch_of

HOUR_MS = 3_600_000


def at(ms: int) -> Timestamp:
    """A timestamp."""
    timestamp = Timestamp()
    timestamp.FromMilliseconds(ms)
    return timestamp


def now_ms() -> int:
    """The time, to the second."""
    return int(time.time()) * 1000


def test_pages_cover_a_range_without_gap_or_double(fleet: Fleet) -> None:
    """Batches that overlap, out of order, with the same times: each time comes once, in order."""
    board = fleet.board()
    start_ms = now_ms() - HOUR_MS
    generator = random.Random(1)
    written: dict[int, float] = {}
    batches = []
    for seq in range(40):
        offsets = sorted(generator.sample(range(0, 600_000, 1000), 20))
        first_ms = start_ms + generator.randrange(0, 2_000_000, 1000)
        values = [float(seq * 100 + i) for i in range(20)]
        steps = [b - a for a, b in zip([0, *offsets], offsets, strict=False)]
        batches.append(
            batch_of(*values, seq=seq, start_unix_ms=first_ms, step_ms=0, offsets_ms=steps)
        )
    generator.shuffle(batches)
    for batch in batches:
        fleet.upload(board, batch)
    # Of several values for one time, that of the batch that began last counts.
    for batch in sorted(batches, key=lambda batch: (batch.start_unix_ms, batch.seq)):
        time_ms = batch.start_unix_ms
        for offset, value in zip(batch.offsets_ms, batch.sensors[0].values, strict=True):
            time_ms += offset
            written[time_ms] = value

    for page_size in (7, 1000):
        found = fleet.history(
            board,
            "speed_kmh",
            start_time=at(start_ms),
            end_time=at(start_ms + HOUR_MS),
            page_size=page_size,
        )
        assert found == sorted(written.items())
    lower, upper = start_ms + 700_000, start_ms + 1_300_000
    assert fleet.history(
        board, "speed_kmh", start_time=at(lower), end_time=at(upper), page_size=10
    ) == [(t, v) for t, v in sorted(written.items()) if lower <= t < upper]


def test_a_range_finds_what_a_long_batch_reaches_into_it(fleet: Fleet) -> None:
    """A board that samples hourly puts a day into a batch."""
    board = fleet.board()
    start_ms = now_ms() - 24 * HOUR_MS
    fleet.upload(board, batch_of(*map(float, range(24)), start_unix_ms=start_ms, step_ms=HOUR_MS))
    fleet.upload(board, batch_of(99.0, seq=1, start_unix_ms=start_ms + 1))

    found = fleet.history(
        board,
        "speed_kmh",
        start_time=at(start_ms + 20 * HOUR_MS),
        end_time=at(start_ms + 22 * HOUR_MS),
    )

    assert [value for _, value in found] == [20.0, 21.0]


def test_many_batches_are_paged_through(fleet: Fleet) -> None:
    """More batches than are read at once."""
    board = fleet.board()
    start_ms = now_ms() - HOUR_MS
    for seq in range(230):
        fleet.upload(board, batch_of(float(seq), seq=seq, start_unix_ms=start_ms + seq * 1000))

    found = fleet.history(board, "speed_kmh", start_time=at(start_ms), page_size=100)

    assert [value for _, value in found] == [float(seq) for seq in range(230)]


def test_the_default_range_is_the_last_hour_and_stays_put(fleet: Fleet) -> None:
    """Later pages don't move with the clock."""
    board = fleet.board()
    now = now_ms()
    for seq, age_ms in enumerate((2 * HOUR_MS, HOUR_MS // 2, 2000, 1000)):
        fleet.upload(board, batch_of(float(seq), seq=seq, start_unix_ms=now - age_ms))

    assert [v for _, v in fleet.history(board, "speed_kmh", page_size=1)] == [1.0, 2.0, 3.0]


def test_a_bound_within_a_millisecond_is_exact(fleet: Fleet) -> None:
    """The start is included, the end is not, to the nanosecond."""
    board = fleet.board()
    now = now_ms()
    fleet.upload(board, batch_of(1.0, 2.0, 3.0, start_unix_ms=now - 5000, step_ms=1))
    just_after = at(now - 5000)
    just_after.nanos += 1

    first_left_out = fleet.history(board, "speed_kmh", start_time=just_after)
    only_first = fleet.history(board, "speed_kmh", start_time=at(now - 6000), end_time=just_after)

    assert [value for _, value in first_left_out] == [2.0, 3.0]
    assert [value for _, value in only_first] == [1.0]


def test_a_sensor_is_unknown_until_it_was_sent(fleet: Fleet) -> None:
    """Sent, but not in the range, is no error; nor is sent without a value."""
    board = fleet.board()
    with refused(StatusCode.NOT_FOUND, "SENSOR_NOT_FOUND") as refusal:
        fleet.history(board, "speed_kmh")
    assert refusal.metadata == {"device_id": str(board.device_id), "sensor": "speed_kmh"}

    fleet.upload(board, batch_of(1.0, start_unix_ms=now_ms() - 5 * HOUR_MS))
    missing = SensorColumn(key="fuel_l", values=[float("nan")])
    fleet.upload(board, batch_of(1.0, seq=1, sensors=[missing]))

    assert fleet.history(board, "speed_kmh") == []
    assert fleet.history(board, "fuel_l") == []
    assert fleet.latest(board) == {"speed_kmh": 1.0}


@pytest.mark.parametrize("length_ms", [0, -1])
def test_an_empty_range_is_invalid(fleet: Fleet, length_ms: int) -> None:
    """The end comes after the start."""
    board, now = fleet.board(), now_ms()

    with refused(StatusCode.INVALID_ARGUMENT, "TIME_RANGE_INVALID") as refusal:
        fleet.history(board, "a", start_time=at(now), end_time=at(now + length_ms))

    assert refusal.fields == {"end_time"}


@pytest.mark.parametrize("seconds", [-62_135_596_800, 253_402_300_799])
def test_any_time_can_be_asked_for(fleet: Fleet, seconds: int) -> None:
    """The first and the last that a timestamp can say."""
    board = fleet.board()
    fleet.upload(board, batch_of(1.0))

    found = fleet.history(
        board,
        "speed_kmh",
        start_time=Timestamp(seconds=-62_135_596_800),
        end_time=Timestamp(seconds=max(seconds, -62_135_596_799)),
    )

    assert [value for _, value in found] == ([1.0] if seconds > 0 else [])


def test_a_page_token_belongs_to_its_question(fleet: Fleet) -> None:
    """Used with another sensor, or made up, it is refused."""
    board = fleet.board()
    fleet.upload(board, batch_of(1.0, 2.0))
    request = pb.ListReadingsRequest(
        device_id=str(board.device_id), sensor="speed_kmh", page_size=1
    )
    token = fleet.readings.ListReadings(request, metadata=fleet.person()).next_page_token

    for sensor, page_token in (("other", token), ("speed_kmh", "made up")):
        with refused(StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"):
            fleet.history(board, sensor, page_token=page_token, page_size=1)


def test_the_newest_of_each_sensor_counts(fleet: Fleet) -> None:
    """By time of sampling, not of arrival; sensors may come in different batches."""
    board = fleet.board()
    now = now_ms()
    fleet.upload(board, batch_of(1.0, 2.0, start_unix_ms=now - 2000))
    fleet.upload(board, batch_of(9.0, seq=1, start_unix_ms=now - 60_000))
    fix = PositionColumn(latitude_e7_deltas=[10], longitude_e7_deltas=[20])
    rpm = SensorColumn(key="rpm", values=[800])
    fleet.upload(
        board, batch_of(7.0, seq=2, start_unix_ms=now - 90_000, sensors=[rpm], positions=fix)
    )

    answer = fleet.readings.GetLatestReadings(
        pb.GetLatestReadingsRequest(device_id=str(board.device_id)), metadata=fleet.person()
    )

    found = [(r.sensor, r.time.ToMilliseconds(), r.value) for r in answer.sensors]
    assert found == [("rpm", now - 90_000, 800.0), ("speed_kmh", now - 1000, 2.0)]
    assert answer.position.latitude_deg == 1e-6
    assert answer.position.time.ToMilliseconds() == now - 90_000


def test_positions_are_paged(fleet: Fleet) -> None:
    """As readings are."""
    board = fleet.board()
    start_ms = now_ms() - 60_000
    batch = ReadingBatch(
        boot_id=1,
        start_unix_ms=start_ms,
        sample_count=5,
        step_ms=1000,
        positions=PositionColumn(latitude_e7_deltas=[5] * 5, longitude_e7_deltas=[-5] * 5),
    )
    fleet.upload(board, batch)
    request = pb.ListPositionsRequest(device_id=str(board.device_id), page_size=2)
    found: list[float] = []
    while True:
        page = fleet.readings.ListPositions(request, metadata=fleet.person())
        found.extend(fix.latitude_deg for fix in page.positions)
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    assert found == [5e-7, 1e-6, 1.5e-6, 2e-6, 2.5e-6]


def test_foreign_readings_are_not_found(
    fleet: Fleet, token_mint: TokenMint, foreign_company_id: uuid.UUID
) -> None:
    """Whatever is asked about a foreign device."""
    board = fleet.board()
    fleet.upload(board, batch_of(1.0))
    foreigner = bearer(token_mint.user(Role.MANAGER, foreign_company_id))
    device_id = str(board.device_id)
    questions: dict[str, Any] = {
        "GetLatestReadings": pb.GetLatestReadingsRequest(device_id=device_id),
        "ListReadings": pb.ListReadingsRequest(device_id=device_id, sensor="speed_kmh"),
        "ListPositions": pb.ListPositionsRequest(device_id=device_id),
        "WatchReadings": pb.WatchReadingsRequest(device_id=device_id),
    }

    for method, request in questions.items():
        with refused(StatusCode.NOT_FOUND, "DEVICE_NOT_FOUND"):
            answer = getattr(fleet.readings, method)(request, metadata=foreigner)
            if isinstance(answer, grpc.Call):
                next(answer)  # type: ignore[call-overload]
