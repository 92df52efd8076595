"""Every trip goes from a board through the whole system and comes back as it was."""

import gzip
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from dashtrack.device.v1 import reading_batch_pb2

from devices.simulator.board import UPLOAD_PATH, Board, BoardOptions
from devices.simulator.boot import TimeSource
from devices.simulator.identity import Identity
from devices.simulator.policy import Backoff
from devices.simulator.recorder import RecorderOptions
from devices.simulator.samples import DEGREE_E7, Floats, Integers, Samples
from devices.simulator.transport import HttpTransport, NoReply, Reply
from devices.simulator.trips import SAMPLE_TRIPS, find_trips, read_trip, recorded_trips_folder
from devices.simulator.wire import Encoding
from tests.fixtures.platform import Platform

_BESIDE_THE_CHECKOUT = Path(__file__).parents[3] / "shared" / "data" / "trips"
# Recorded trips are no part of the project; without them the generated one is enough.
_TRIPS = find_trips(SAMPLE_TRIPS, recorded_trips_folder() or _BESIDE_THE_CHECKOUT)
_ROWS_A_BATCH = 50
_PAGE_SIZE = 70
"""Smaller than most trips, so that reading them takes several pages."""

VARIANTS = {
    "smallest": BoardOptions(),
    "floats": BoardOptions(recorder=RecorderOptions(encoding=Encoding.FLOAT)),
    "zipped": BoardOptions(recorder=RecorderOptions(encoding=Encoding.SCALED, gzip=True)),
    "without-clock": BoardOptions(time_source=TimeSource.BOOT),
}


class NotingTransport(HttpTransport):
    """Carries requests, remembers the batches among them and can lose answers."""

    def __init__(self, session: aiohttp.ClientSession, gateway_url: str) -> None:
        super().__init__(session, gateway_url)
        self.batches: list[reading_batch_pb2.ReadingBatch] = []
        self.answers_to_lose = 0

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a request and return the answer."""
        if path == UPLOAD_PATH:
            zipped = headers.get("content-encoding") == "gzip"
            plain = gzip.decompress(body) if zipped else body
            self.batches.append(reading_batch_pb2.ReadingBatch.FromString(plain))
        reply = await super().post(path, body, headers)
        if path == UPLOAD_PATH and self.answers_to_lose:
            self.answers_to_lose -= 1
            raise NoReply("lost on the way back")
        return reply


@dataclass(frozen=True)
class Series:
    """What the API returned for one sensor, or for one coordinate."""

    times_ms: Integers
    values: Floats


@pytest.fixture(scope="session")
def fleet_company(platform: Platform) -> str:
    """A company that owns the boards of this module."""
    return platform.company()


@pytest.fixture
async def transport(platform: Platform) -> AsyncIterator[NotingTransport]:
    """The way from a board to the gateway."""
    async with aiohttp.ClientSession() as session:
        yield NotingTransport(session, platform.stack.addresses.rest)


def test_the_generated_trip_is_always_there() -> None:
    """The tests below have something to replay in any checkout."""
    assert any(path.parent == SAMPLE_TRIPS for path in _TRIPS)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("path", _TRIPS, ids=[path.stem for path in _TRIPS])
async def test_a_trip_comes_back_as_it_was_sent(
    platform: Platform, transport: NotingTransport, fleet_company: str, path: Path, variant: str
) -> None:
    """Times, values and positions, to the last bit that their encoding promises."""
    options = VARIANTS[variant]
    trip = read_trip(path)
    started_ms = time.time_ns() // 1_000_000 - trip.duration_ms
    sent = trip.starting_at(started_ms)
    board = Board(
        _registered(platform, fleet_company, f"{variant}-{trip.name}"),
        transport,
        options=options,
        booted_unix_ms=started_ms,
    )
    for start in range(0, len(sent), _ROWS_A_BATCH):
        board.record(sent.slice(start, start + _ROWS_A_BATCH))
    assert await board.drain(patience_s=30), board.tally

    api = _History(platform, board.identity.device_id, started_ms - 60_000)
    shift_ms = _shift_ms(api, sent)
    if options.time_source is TimeSource.CLOCK:
        assert shift_ms == 0
    else:
        # The server's anchor and the board's boot are two readings of one machine's clock.
        assert abs(shift_ms) < 60_000
    for key, values in sent.sensors.items():
        present = ~np.isnan(values)
        found = api.readings(key)
        np.testing.assert_array_equal(found.times_ms, sent.times_ms[present] + shift_ms)
        np.testing.assert_array_equal(
            found.values, _promised(key, values, transport.batches)[present], strict=True
        )
    _assert_positions(api, sent, shift_ms)
    _assert_latest(api, sent, transport.batches)


async def test_an_upload_whose_answer_was_lost_is_stored_once(
    platform: Platform, transport: NotingTransport, fleet_company: str
) -> None:
    """The board sends the same bytes again, is told that they were there, and all goes on."""
    trip = read_trip(_TRIPS[0])
    started_ms = time.time_ns() // 1_000_000 - trip.duration_ms
    sent = trip.starting_at(started_ms)
    board = Board(
        _registered(platform, fleet_company, "lost-answers"),
        transport,
        options=BoardOptions(backoff=Backoff(base_s=0.01, max_s=0.1)),
    )
    transport.answers_to_lose = 3
    for start in range(0, len(sent), _ROWS_A_BATCH):
        board.record(sent.slice(start, start + _ROWS_A_BATCH))
    assert await board.drain(patience_s=30), board.tally

    assert board.tally.repeats == 1
    assert board.tally.answers["no reply"] == 3
    found = _History(platform, board.identity.device_id, started_ms - 60_000).readings("speed_kmh")
    present = ~np.isnan(sent.sensors["speed_kmh"])
    np.testing.assert_array_equal(found.times_ms, sent.times_ms[present])


class _History:
    """One device's history, read page by page as a manager would."""

    def __init__(self, platform: Platform, device_id: str, since_ms: int) -> None:
        self._platform = platform
        self._device = f"/v1/devices/{device_id}"
        self._since = _timestamp(since_ms)

    def readings(self, sensor: str) -> Series:
        """Return all readings of a sensor."""
        items = self._pages(f"/sensors/{sensor}/readings", "readings")
        return _series(items, "value")

    def positions(self) -> tuple[Series, Series]:
        """Return all latitudes and longitudes."""
        items = self._pages("/positions", "positions")
        return _series(items, "latitudeDeg"), _series(items, "longitudeDeg")

    def latest(self) -> Any:
        """Return the newest of everything."""
        return self._platform.call("GET", f"{self._device}/latest")

    def _pages(self, path: str, name: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        page_token = ""
        # The end is left out on purpose: a page token carries the range, "until now" included.
        query = f"?startTime={self._since}&pageSize={_PAGE_SIZE}"
        while True:
            page = self._platform.call("GET", f"{self._device}{path}{query}&pageToken={page_token}")
            items += page[name]
            page_token = page["nextPageToken"]
            if not page_token:
                return items
            assert len(page[name]) == _PAGE_SIZE


def _registered(platform: Platform, company_id: str, name: str) -> Identity:
    """Register a board and return what is flashed into it."""
    hardware_id = f"{name}-{time.time_ns():x}"[-64:]
    device = {"hardwareId": hardware_id, "companyId": company_id}
    answer = platform.call("POST", "/v1/devices", {"device": device})
    return Identity(hardware_id, answer["claimCode"])


def _promised(key: str, values: Floats, batches: list[reading_batch_pb2.ReadingBatch]) -> Floats:
    """Return what a sensor's encoding in each batch makes of the values."""
    promised = values.copy()
    for index, batch in enumerate(batches):
        rows = slice(index * _ROWS_A_BATCH, (index + 1) * _ROWS_A_BATCH)
        if any(sensor.key == key and sensor.values for sensor in batch.sensors):
            promised[rows] = values[rows].astype(np.float32).astype(np.float64)
    return promised


def _shift_ms(api: _History, sent: Samples) -> int:
    """Return by how much all times moved; only the server's anchor of a boot may move them."""
    positions = sent.positions
    assert positions is not None
    latitudes, _ = api.positions()
    return int(latitudes.times_ms[0] - sent.times_ms[positions.present][0])


def _assert_positions(api: _History, sent: Samples, shift_ms: int) -> None:
    positions = sent.positions
    assert positions is not None
    present = positions.present
    for found, coordinates_e7 in zip(
        api.positions(), (positions.latitude_e7, positions.longitude_e7), strict=True
    ):
        np.testing.assert_array_equal(found.times_ms, sent.times_ms[present] + shift_ms)
        np.testing.assert_array_equal(found.values, coordinates_e7[present] / DEGREE_E7)


def _assert_latest(
    api: _History, sent: Samples, batches: list[reading_batch_pb2.ReadingBatch]
) -> None:
    newest = {reading["sensor"]: reading["value"] for reading in api.latest()["sensors"]}
    expected = {}
    for key, values in sent.sensors.items():
        last = np.flatnonzero(~np.isnan(values))[-1]
        expected[key] = float(_promised(key, values, batches)[last])
    assert newest == expected


def _series(items: list[dict[str, Any]], name: str) -> Series:
    return Series(
        np.array([_unix_ms(item["time"]) for item in items], np.int64),
        np.array([float(item[name]) for item in items], np.float64),
    )


def _unix_ms(text: str) -> int:
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(milliseconds=1)


def _timestamp(unix_ms: int) -> str:
    moment = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
