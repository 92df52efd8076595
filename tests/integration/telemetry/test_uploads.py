"""Uploads as boards make them."""

import asyncio
import gzip
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import grpc
from dashtrack.device.v1.reading_batch_pb2 import PositionColumn, ReadingBatch, SensorColumn
from dashtrack.telemetry.v1 import reading_service_pb2 as reading_pb
from grpc import StatusCode

from tests.fixtures.postgres import FreshDatabase
from tests.fixtures.refusals import refused
from tests.fixtures.running import run_async
from tests.fixtures.telemetry_storage import DAY_MS, now_ms
from tests.fixtures.tokens import bearer
from tests.integration.telemetry.conftest import Board, Fleet, batch_of


def query(database: FreshDatabase, statement: str, *values: Any) -> list[Any]:
    """Ask the database itself."""

    async def fetch() -> list[Any]:
        connection = await asyncpg.connect(database.dsn)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    return run_async(fetch())


def stored(database: FreshDatabase, board: Board) -> int:
    """How many batches of a board are stored."""
    statement = "SELECT count(*) FROM telemetry_batch WHERE device_id = $1"
    count: int = query(database, statement, board.device_id)[0][0]
    return count


def test_an_acknowledged_batch_is_read_back(fleet: Fleet) -> None:
    """What was acknowledged is in the history and the newest values at once."""
    board = fleet.board()
    batch = batch_of(50.0, 51.5, 53.0)

    ack = fleet.upload(board, batch)

    assert (ack.boot_id, ack.seq, ack.part, ack.repeated) == (7, 0, 0, False)
    start_ms = batch.start_unix_ms
    assert fleet.history(board, "speed_kmh") == [
        (start_ms, 50.0),
        (start_ms + 1000, 51.5),
        (start_ms + 2000, 53.0),
    ]
    assert fleet.latest(board) == {"speed_kmh": 53.0}


def test_an_acknowledgement_tells_the_board_what_it_needs(fleet: Fleet) -> None:
    """The server's clock, when to come again, and what the next upload may hold."""
    ack = fleet.upload(fleet.board(), batch_of(1.0))

    assert abs(ack.server_unix_ms - now_ms()) < 60_000
    assert ack.next_upload_s == 30
    assert ack.limits.body_bytes_max == 65_536
    assert ack.limits.readings_max == 10_000
    assert ack.limits.sensors_max == 64


def test_a_token_that_ages_is_replaced(fleet: Fleet) -> None:
    """The tokens of these tests end within the hour; the new one works as well."""
    board = fleet.board()
    ack = fleet.upload(board, batch_of(1.0))

    assert ack.token
    renewed = Board(board.device_id, board.company_id, ack.token)
    assert fleet.upload(renewed, batch_of(2.0, seq=1)).seq == 1


def test_all_encodings_come_back_exactly(fleet: Fleet) -> None:
    """Scaled values, missing ones, uneven steps and positions."""
    board = fleet.board()
    start_ms = now_ms() - 60_000
    batch = ReadingBatch(
        boot_id=2**64 - 1,
        seq=2**32 - 1,
        part=65_535,
        start_unix_ms=start_ms,
        offsets_ms=[0, 1500, 20_000],
        sensors=[
            SensorColumn(key="odometer_m", base=2**52, decimals=3, deltas=[0, -1, -(2**31)]),
            SensorColumn(key="coolant_c", deltas=[905, -5], decimals=1, present=b"\x05"),
            SensorColumn(key="rpm", values=[float("nan"), 800.5, float("inf")]),
        ],
        positions=PositionColumn(
            latitude_e7_deltas=[516813682, -1],
            longitude_e7_deltas=[-78089091, 2],
            present=b"\x06",
        ),
    )

    ack = fleet.upload(board, batch)

    assert (ack.boot_id, ack.seq, ack.part) == (2**64 - 1, 2**32 - 1, 65_535)
    times = [start_ms, start_ms + 1500, start_ms + 21_500]
    scaled = [2**52, 2**52 - 1, 2**52 - 1 - 2**31]
    assert fleet.history(board, "odometer_m") == [
        (at, value / 1000) for at, value in zip(times, scaled, strict=True)
    ]
    assert fleet.history(board, "coolant_c") == [(times[0], 90.5), (times[2], 90.0)]
    assert fleet.history(board, "rpm") == [(times[1], 800.5), (times[2], float("inf"))]
    positions = fleet.readings.ListPositions(
        reading_pb.ListPositionsRequest(device_id=str(board.device_id)), metadata=fleet.person()
    ).positions
    assert [
        (fix.time.ToMilliseconds(), fix.latitude_deg, fix.longitude_deg) for fix in positions
    ] == [(times[1], 51.6813682, -7.8089091), (times[2], 51.6813681, -7.8089089)]


def test_the_same_batch_again_is_acknowledged_and_stored_once(
    fleet: Fleet, telemetry_database: FreshDatabase
) -> None:
    """Byte for byte, over whichever road it comes."""
    board = fleet.board()
    batch = batch_of(1.0, 2.0)
    body = batch.SerializeToString()

    acks = [
        fleet.send(board, body),
        fleet.send(board, body),
        fleet.send(board, gzip.compress(body), content_encoding="gzip"),
        fleet.links.UploadBatch(batch, metadata=bearer(board.token)),
    ]

    assert [ack.repeated for ack in acks] == [False, True, True, True]
    assert stored(telemetry_database, board) == 1


def test_another_payload_under_the_same_key_is_a_conflict(fleet: Fleet) -> None:
    """It is answered as one, and what is stored stays."""
    board = fleet.board()
    batch = batch_of(1.0, seq=4)
    fleet.upload(board, batch)
    batch.sensors[0].values[0] = 2.0

    with refused(StatusCode.ALREADY_EXISTS, "BATCH_CONFLICT") as refusal:
        fleet.upload(board, batch)

    assert refusal.metadata == {"boot_id": "7", "seq": "4", "part": "0"}
    assert fleet.latest(board) == {"speed_kmh": 1.0}


def test_parts_of_a_split_batch_are_stored_apart(fleet: Fleet) -> None:
    """Same sequence number, different parts."""
    board = fleet.board()
    start_ms = now_ms() - 10_000
    for part in (1, 2):
        ack = fleet.upload(board, batch_of(part, part=part, start_unix_ms=start_ms + part))
        assert not ack.repeated

    assert len(fleet.history(board, "speed_kmh")) == 2


def test_replicas_that_get_the_same_batch_at_once_store_it_once(
    fleet: Fleet, second_replica: Fleet, telemetry_database: FreshDatabase
) -> None:
    """A board whose first try hangs somewhere retries over another way."""
    board = fleet.board()
    bodies = [batch_of(float(seq), seq=seq).SerializeToString() for seq in range(30)]

    def both(body: bytes) -> int:
        with ThreadPoolExecutor(2) as pool:
            acks = [pool.submit(replica.send, board, body) for replica in (fleet, second_replica)]
            return sum(ack.result().repeated for ack in acks)

    with ThreadPoolExecutor(4) as pool:
        repeated = list(pool.map(both, bodies))

    assert repeated == [1] * len(bodies)
    assert stored(telemetry_database, board) == len(bodies)
    logged = query(
        telemetry_database,
        "SELECT count(*) FROM ingest_log, unnest(device_ids) AS device_id WHERE device_id = $1",
        board.device_id,
    )
    assert logged[0][0] == len(bodies)


def test_rivals_from_two_replicas_conflict(fleet: Fleet, second_replica: Fleet) -> None:
    """Of two payloads under one key that arrive at once, exactly one is acknowledged."""
    board = fleet.board()

    def outcome(replica: Fleet, batch: ReadingBatch) -> str:
        try:
            replica.upload(board, batch)
        except grpc.RpcError as err:
            return str(err.code().name)
        return "OK"

    for seq in range(10):
        start_ms = now_ms()
        with ThreadPoolExecutor(2) as pool:
            found = pool.map(
                outcome,
                (fleet, second_replica),
                (batch_of(value, seq=seq, start_unix_ms=start_ms) for value in (1.0, 2.0)),
            )
            assert sorted(found) == ["ALREADY_EXISTS", "OK"]


def test_a_boot_keeps_its_anchor_across_restarts(
    fleet: Fleet, second_replica: Fleet, telemetry_database: FreshDatabase
) -> None:
    """A replica that never saw the boot places a retry where the first try was placed."""
    board = fleet.board()
    batch = batch_of(1.0, 2.0, start_uptime_ms=5000)
    first = fleet.upload(board, batch, x_dashtrack_uptime_ms="7000")
    second = second_replica.upload(board, batch, x_dashtrack_uptime_ms="9876")

    assert (first.repeated, second.repeated) == (False, True)
    assert stored(telemetry_database, board) == 1
    (at_ms, _), _ = fleet.history(board, "speed_kmh")
    assert abs(at_ms - (now_ms() - 2000)) < 60_000


def test_a_batch_from_the_past_gets_its_partition(
    fleet: Fleet, telemetry_database: FreshDatabase
) -> None:
    """Boards that were out of reach for months lose nothing."""
    board = fleet.board()
    start_ms = now_ms() - 250 * DAY_MS

    with ThreadPoolExecutor(8) as pool:
        batches = [
            batch_of(float(week), seq=week, start_unix_ms=start_ms + week % 4 * 7 * DAY_MS)
            for week in range(8)
        ]
        list(pool.map(lambda batch: fleet.upload(board, batch), batches))

    assert stored(telemetry_database, board) == 8
    options = query(
        telemetry_database,
        "SELECT DISTINCT reloptions::text FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid "
        "WHERE i.inhparent = 'telemetry_batch'::regclass",
    )
    assert [row[0] for row in options] == ["{toast_tuple_target=8160}"]


def test_a_partition_that_vanished_is_made_again(
    fleet: Fleet, telemetry_database: FreshDatabase
) -> None:
    """A replica that still believes in it answers UNAVAILABLE once; the retry is stored."""
    board = fleet.board()
    start_ms = now_ms() - 300 * DAY_MS
    fleet.upload(board, batch_of(1.0, start_unix_ms=start_ms))
    table = query(
        telemetry_database,
        "SELECT tableoid::regclass::text FROM telemetry_batch WHERE device_id = $1",
        board.device_id,
    )[0][0]
    query(telemetry_database, f"ALTER TABLE telemetry_batch DETACH PARTITION {table}")

    with refused(StatusCode.UNAVAILABLE, "UNAVAILABLE") as refusal:
        fleet.upload(board, batch_of(2.0, seq=1, start_unix_ms=start_ms))

    assert refusal.retry_after_s
    assert not fleet.upload(board, batch_of(2.0, seq=1, start_unix_ms=start_ms)).repeated


def test_many_boards_at_once_all_find_their_readings(
    fleet: Fleet, telemetry_database: FreshDatabase
) -> None:
    """Concurrent uploads share transactions and stay apart."""
    boards = [fleet.board() for _ in range(10)]

    def work(board: Board) -> None:
        for seq in range(10):
            fleet.upload(board, batch_of(float(seq), seq=seq))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(work, boards))

    for board in boards:
        assert stored(telemetry_database, board) == 10
        assert fleet.latest(board) == {"speed_kmh": 9.0}


async def test_a_cancelled_upload_is_stored_all_the_same(
    fleet: Fleet, telemetry_database: FreshDatabase
) -> None:
    """A board that hangs up early finds its batch stored when it comes again."""
    board = fleet.board()
    batch = batch_of(1.0)
    call = fleet.links.UploadBatch.future(batch, metadata=bearer(board.token))
    await asyncio.sleep(0.002)
    call.cancel()

    fleet.upload(board, batch)

    assert stored(telemetry_database, board) == 1
