"""Readings live: no gap, no double, an end that says why."""

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from dashtrack.telemetry.v1 import reading_service_pb2 as pb
from grpc import StatusCode

from services.chassis.identity import Role
from services.telemetry import app
from services.telemetry.settings import TelemetrySettings
from services.telemetry.storage import MIGRATIONS
from tests.fixtures.nats import NatsServer
from tests.fixtures.refusals import refused
from tests.fixtures.serving import served
from tests.fixtures.tokens import TokenMint, bearer
from tests.fixtures.waiting import eventually
from tests.integration.telemetry.conftest import Board, Fleet, batch_of

WATCH_TIMEOUT_S = 40


class Watch:
    """A watch that is read in a thread of its own."""

    def __init__(self, fleet: Fleet, request: pb.WatchReadingsRequest, metadata: Any) -> None:
        self.call = fleet.readings.WatchReadings(
            request, metadata=metadata, timeout=WATCH_TIMEOUT_S
        )
        self.items: list[pb.WatchReadingsResponse] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        eventually(lambda: any(i.HasField("heartbeat") for i in self.items), "the watch to begin")

    def _read(self) -> None:
        try:
            self.items.extend(self.call)
        except grpc.RpcError as err:
            if err.code() is not StatusCode.CANCELLED:
                raise

    def close(self) -> None:
        """Hang up."""
        self.call.cancel()
        self._thread.join(WATCH_TIMEOUT_S)

    def latest(self) -> dict[str, dict[str, float]]:
        """The newest values that the watch began with, by device."""
        return {
            item.latest.device_id: {r.sensor: r.value for r in item.latest.sensors}
            for item in self.items
            if item.HasField("latest")
        }

    def values(self, board: Board) -> list[float]:
        """The values that were streamed for a board, in order."""
        return [
            reading.value
            for item in self.items
            if item.HasField("batch") and item.batch.device_id == str(board.device_id)
            for series in item.batch.series
            for reading in series.readings
        ]

    def wait_for(self, board: Board, count: int = 1) -> list[float]:
        """Wait until so many values were streamed for a board; return them."""
        eventually(lambda: len(self.values(board)) >= count, "the values")
        return self.values(board)

    def end(self) -> str | None:
        """Why the watch ended."""
        return next((i.end.reason for i in self.items if i.HasField("end")), None)


@pytest.fixture
def watching(fleet: Fleet) -> Iterator[Any]:
    """Begin watches, which end with the test."""
    begun: list[Watch] = []

    def watch(on: Fleet = fleet, *, metadata: Any = None, **request: str) -> Watch:
        begun.append(Watch(on, pb.WatchReadingsRequest(**request), metadata or fleet.person()))
        return begun[-1]

    yield watch
    for watch_ in begun:
        watch_.close()


def test_a_watch_begins_with_the_newest_and_goes_on_with_each_batch(
    fleet: Fleet, watching: Any
) -> None:
    """Every device of the company, and nobody else's."""
    boards = [fleet.board(), fleet.board()]
    for board in boards:
        fleet.upload(board, batch_of(1.0, 2.0))

    watch = watching()
    assert watch.latest() == {str(board.device_id): {"speed_kmh": 2.0} for board in boards}
    for board in boards:
        fleet.upload(board, batch_of(3.0, 4.0, seq=1))

    for board in boards:
        assert watch.wait_for(board, 2) == [3.0, 4.0]


def test_one_device_is_watched_alone(fleet: Fleet, watching: Any) -> None:
    """The others' batches don't come."""
    mine, other = fleet.board(), fleet.board()
    watch = watching(device_id=str(mine.device_id))

    fleet.upload(other, batch_of(1.0))
    fleet.upload(mine, batch_of(2.0))

    eventually(lambda: watch.values(mine), "the batch")
    assert watch.values(other) == []


def test_nothing_is_missed_or_doubled_between_snapshot_and_stream(
    fleet: Fleet, second_replica: Fleet, watching: Any
) -> None:
    """Watches that begin while two replicas store: each batch is in one of the two, once."""
    boards = [fleet.board() for _ in range(4)]
    per_board = 60

    def work(number: int) -> None:
        replica = (fleet, second_replica)[number % 2]
        for seq in range(per_board):
            start_ms = int(time.time() * 1000) - 60_000 + seq * 100
            replica.upload(boards[number], batch_of(float(seq), seq=seq, start_unix_ms=start_ms))

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, number) for number in range(4)]
        watches = [watching(replica) for replica in (fleet, second_replica, fleet)]
        for done in working:
            done.result()

    for watch in watches:
        for board in boards:
            begun = watch.latest().get(str(board.device_id), {}).get("speed_kmh", -1.0)
            expected = [float(seq) for seq in range(int(begun) + 1, per_board)]
            assert watch.wait_for(board, len(expected)) == expected


def test_a_watch_goes_on_while_nats_is_down(
    fleet: Fleet, nats_server: NatsServer, watching: Any
) -> None:
    """Hints only make it quick: the log is read all the same."""
    board = fleet.board()
    watch = watching()
    nats_server.stop()
    try:
        fleet.upload(board, batch_of(1.0))
        eventually(lambda: watch.values(board), "the batch without NATS")
    finally:
        nats_server.start()
    fleet.upload(board, batch_of(2.0, seq=1))

    eventually(lambda: len(watch.values(board)) > 1, "the next batch")
    assert watch.values(board) == [1.0, 2.0]


def test_a_watch_ends_with_its_token(fleet: Fleet, token_mint: TokenMint, watching: Any) -> None:
    """It says so, so that the client refreshes and begins anew."""
    expiring = token_mint.user(Role.MANAGER, fleet.company_id, exp=int(time.time()) + 3)
    watch = watching(metadata=bearer(expiring))

    eventually(watch.end, "the end")
    assert watch.end() == "TOKEN_EXPIRED"


def test_a_watch_ends_when_the_service_stops(
    fleet: Fleet, telemetry_settings: TelemetrySettings, watching: Any
) -> None:
    """It is told, not cut off."""
    with ExitStack() as outlives_the_service:
        with served("telemetry", telemetry_settings, app.build, MIGRATIONS) as service:
            channel = outlives_the_service.enter_context(grpc.insecure_channel(service.target))
            watch = watching(fleet.on(channel))
        eventually(watch.end, "the end")

    assert watch.end() == "UNAVAILABLE"


def test_an_operator_names_what_to_watch(
    fleet: Fleet, watching: Any, foreign_company_id: uuid.UUID
) -> None:
    """A company or a device; a company user may leave both out."""
    board = fleet.board()
    master = fleet.person(Role.MASTER)
    for request, metadata, code, reason in (
        ({}, master, StatusCode.INVALID_ARGUMENT, "COMPANY_REQUIRED"),
        ({"company_id": str(uuid.uuid4())}, master, StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"),
        (
            {"company_id": str(foreign_company_id)},
            fleet.person(),
            StatusCode.NOT_FOUND,
            "COMPANY_NOT_FOUND",
        ),
    ):
        with refused(code, reason):
            next(
                fleet.readings.WatchReadings(pb.WatchReadingsRequest(**request), metadata=metadata)
            )

    by_company = watching(metadata=master, company_id=str(fleet.company_id))
    by_device = watching(metadata=master, device_id=str(board.device_id))
    fleet.upload(board, batch_of(5.0))
    for watch in (by_company, by_device):
        assert watch.wait_for(board) == [5.0]
