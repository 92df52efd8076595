"""What a board keeps, in which form, at which time, and what it remembers over a restart."""

import random
from pathlib import Path

import numpy as np
from dashtrack.device.v1 import reading_batch_pb2

from devices.simulator.board import EXCHANGE_PATH, UPLOAD_PATH, Board, BoardOptions
from devices.simulator.boot import TimeSource
from devices.simulator.identity import Identity, IdentityFile
from devices.simulator.recorder import RecorderOptions
from devices.simulator.samples import Samples
from devices.simulator.transport import Reply
from tests.unit.simulator.gateways import CLAIM_CODE, DEVICE_ID, NOW_MS, FakeClock, FakeGateway
from tests.unit.simulator.workbench import IDENTITY, Bench, samples


async def test_the_oldest_batches_give_way_and_are_reported() -> None:
    """A full board keeps the newest and says how many readings it lost."""
    bench = Bench(BoardOptions(recorder=RecorderOptions(batches_max=3)))
    await bench.upload(batches=5)

    assert [batch.seq for batch in bench.gateway.stored] == [2, 3, 4]
    assert [batch.dropped_readings for batch in bench.gateway.stored] == [0, 4, 4]
    assert bench.board.tally.dropped_readings == 8


async def test_losses_reported_by_a_lost_batch_are_reported_again() -> None:
    """However often the ring turns over, the sum of the reports is what was lost."""
    bench = Bench(BoardOptions(recorder=RecorderOptions(batches_max=2)))
    await bench.upload(batches=9)
    await bench.upload()

    reported = sum(batch.dropped_readings for batch in bench.gateway.stored)
    assert reported == bench.board.tally.dropped_readings == 7 * 4


async def test_losses_reported_by_a_refused_batch_are_reported_again() -> None:
    """The server has not heard what a quarantined batch says."""
    bench = Bench(BoardOptions(recorder=RecorderOptions(batches_max=2)))
    await bench.upload(Reply(500), Reply(400), Reply(400), batches=4)
    await bench.upload()

    assert sum(batch.dropped_readings for batch in bench.gateway.stored) == 2 * 4


async def test_a_batch_on_the_wire_is_not_dropped() -> None:
    """It may be stored already, so counting it as lost could be wrong."""
    bench = Bench(BoardOptions(recorder=RecorderOptions(batches_max=2)))
    news = iter([samples(start_ms=NOW_MS + 50_000), samples(start_ms=NOW_MS + 60_000)])

    def record_meanwhile() -> None:
        for measured in news:
            bench.board.record(measured)

    bench.gateway.on_upload = record_meanwhile
    await bench.upload(batches=2)

    assert [batch.seq for batch in bench.gateway.stored] == [0, 3]


async def test_batches_keep_to_the_limits_of_the_last_acknowledgement() -> None:
    """A server that takes less gets smaller batches before it has to refuse."""
    bench = Bench()
    first = reading_batch_pb2.ReadingBatch(boot_id=random.Random(1).getrandbits(64))
    ack = reading_batch_pb2.UploadAck(boot_id=first.boot_id)
    ack.limits.readings_max = 10
    await bench.upload(Reply(200, ack.SerializeToString()))
    bench.board.record(samples(25))
    await bench.upload(batches=0)

    assert [batch.sample_count for batch in bench.gateway.stored] == [10, 10, 5]


async def test_a_body_that_would_be_too_large_is_never_sent() -> None:
    """The board knows the limit of a body and cuts before the server says 413."""
    bench = Bench()
    rng = np.random.default_rng(2)
    count = 800
    bench.board.record(
        Samples(
            NOW_MS + 1000 * np.arange(count, dtype=np.int64),
            {f"noise_{index}": rng.random(count) for index in range(12)},
        )
    )
    await bench.upload(batches=0)

    assert sum(batch.sample_count for batch in bench.gateway.stored) == count
    assert max(len(upload.body) for upload in bench.gateway.uploads) <= 65_536


async def test_gzip_keeps_retries_identical_and_leaves_small_bodies_alone() -> None:
    """Compression is decided once, when the batch is encoded."""
    bench = Bench(BoardOptions(recorder=RecorderOptions(gzip=True)))
    bench.board.record(samples(1))
    bench.board.record(
        Samples(NOW_MS + 5000 + 1000 * np.arange(500), {"speed_kmh": np.full(500, 0.1)})
    )
    # The first answer is for the small batch, then the large one is refused once.
    bench.gateway.upload_replies.append(Reply(500))
    await bench.board.drain(pending_max=1)
    await bench.upload(Reply(500), batches=0)

    _, small, large, again = bench.gateway.uploads
    assert "content-encoding" not in small.headers
    assert large.headers["content-encoding"] == "gzip"
    assert large.body == again.body
    assert [batch.sample_count for batch in bench.gateway.stored] == [1, 500]


async def test_a_zipped_batch_is_split_as_well() -> None:
    """A board unpacks its own bytes to split them."""
    bench = Bench(BoardOptions(recorder=RecorderOptions(gzip=True)))
    bench.board.record(Samples(NOW_MS + 1000 * np.arange(600), {"speed_kmh": np.full(600, 0.1)}))
    await bench.upload(Reply(413), batches=0)

    assert [batch.sample_count for batch in bench.gateway.stored] == [300, 300]


async def test_a_board_without_a_clock_sends_times_since_its_boot() -> None:
    """The server anchors them by the uptime at sending, which is in a header."""
    bench = Bench(BoardOptions(time_source=TimeSource.BOOT), booted_unix_ms=NOW_MS - 60_000)
    bench.board.record(samples(start_ms=NOW_MS - 50_000))
    await bench.upload(batches=0)

    (batch,) = bench.gateway.stored
    assert batch.start_uptime_ms == 10_000
    assert bench.gateway.uploads[0].headers["x-dashtrack-uptime-ms"] == "60000"


async def test_a_board_takes_the_time_from_the_server_once() -> None:
    """From the first answer on it sends absolute times, and no later answer moves them."""
    bench = Bench(BoardOptions(time_source=TimeSource.SERVER))
    offsets_ms = iter([5_000, 9_000, 9_000])
    bench.gateway.server_unix_ms = lambda: bench.clock.unix_ms() + next(offsets_ms)
    await bench.upload()
    bench.board.record(samples(start_ms=NOW_MS + 1000))
    await bench.upload(batches=0)

    before, after = bench.gateway.stored
    assert before.HasField("start_uptime_ms")
    assert after.start_unix_ms == NOW_MS + 6_000


async def test_each_boot_has_its_own_number() -> None:
    """Two boots of one board never share a key."""
    boards = [Board(IDENTITY, FakeGateway(), clock=FakeClock()) for _ in range(2)]
    numbers = set()
    for board in boards:
        board.record(samples())
        await board.drain()
        gateway = board._transport
        assert isinstance(gateway, FakeGateway)
        numbers.add(gateway.stored[0].boot_id)
    assert len(numbers) == 2


async def test_nothing_is_sent_for_samples_without_a_value() -> None:
    """A parked board's empty columns cost no upload."""
    bench = Bench()
    bench.board.record(Samples(np.array([NOW_MS]), {"speed_kmh": np.array([np.nan])}))
    await bench.upload(batches=0)

    assert bench.gateway.uploads == []


async def test_patience_ends_a_drain_without_losing_anything() -> None:
    """A caller that must go on isn't held by an outage."""
    bench = Bench()
    bench.gateway.upload_replies.extend([Reply(503, headers={"retry-after": "60"})] * 9)
    bench.board.record(samples())

    assert not await bench.board.drain(patience_s=30)
    assert bench.board.pending_count == 1


async def test_a_restarted_board_remembers_who_it_is(tmp_path: Path) -> None:
    """The secret is kept in a file that only the owner reads, and no claim is made again."""
    path = tmp_path / "board.json"
    first, second = FakeGateway(), FakeGateway()
    board = Board(IDENTITY, first, store=IdentityFile(path), clock=FakeClock())
    board.record(samples())
    await board.drain()

    kept = IdentityFile(path).load(IDENTITY)
    restarted = Board(kept, second, clock=FakeClock())
    restarted.record(samples())
    await restarted.drain()

    assert second.paths == [EXCHANGE_PATH, UPLOAD_PATH]
    assert path.stat().st_mode & 0o777 == 0o600
    assert "s" * 32 not in repr(kept)


async def test_the_nonce_is_kept_before_it_is_sent(tmp_path: Path) -> None:
    """A board that loses power between claim and answer asks with the same nonce again."""
    path = tmp_path / "board.json"
    gateway = FakeGateway()
    gateway.claim_replies.append(None)
    await Board(IDENTITY, gateway, store=IdentityFile(path), clock=FakeClock()).step()
    await Board(IdentityFile(path).load(IDENTITY), gateway, clock=FakeClock()).step()

    assert gateway.requests[0].body == gateway.requests[1].body


def test_a_board_that_was_registered_anew_forgets_its_old_identity(
    tmp_path: Path,
) -> None:
    """A new claim code means a new life."""
    file = IdentityFile(tmp_path / "board.json")
    file.save(Identity("aa:bb:cc", CLAIM_CODE, "00" * 16, DEVICE_ID, "s" * 32))
    anew = Identity("aa:bb:cc", "CLAIM-CODE-2")

    assert file.load(anew) == anew
    assert file.load(Identity("aa:bb:cc", "")).claimed
