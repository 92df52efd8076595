"""A board claims itself, keeps what it sampled and obeys every answer of the HTTP contract."""

import random
from pathlib import Path

import numpy as np
import pytest
from dashtrack.device.v1 import device_link_service_pb2 as link
from dashtrack.device.v1 import reading_batch_pb2

from devices.simulator.board import CLAIM_PATH, EXCHANGE_PATH, UPLOAD_PATH, Board, BoardOptions
from devices.simulator.boot import TimeSource
from devices.simulator.identity import Identity, IdentityFile
from devices.simulator.policy import Backoff
from devices.simulator.recorder import RecorderOptions
from devices.simulator.samples import Samples
from devices.simulator.transport import Reply
from tests.unit.simulator.gateways import CLAIM_CODE, DEVICE_ID, NOW_MS, FakeClock, FakeGateway

IDENTITY = Identity(hardware_id="aa:bb:cc", claim_code=CLAIM_CODE)


def samples(count: int = 4, start_ms: int = NOW_MS, sensor: str = "speed_kmh") -> Samples:
    """Samples of one sensor, a second apart."""
    return Samples(
        start_ms + 1000 * np.arange(count, dtype=np.int64),
        {sensor: np.linspace(0.0, 10.0, count)},
    )


class Bench:
    """A board on a bench: with a gateway and a clock that obey the test."""

    def __init__(
        self, options: BoardOptions | None = None, *, booted_unix_ms: int | None = None
    ) -> None:
        self.gateway = FakeGateway()
        self.clock = FakeClock()
        self.board = Board(
            IDENTITY,
            self.gateway,
            options=options,
            clock=self.clock,
            rng=random.Random(1),
            booted_unix_ms=booted_unix_ms,
        )

    async def upload(self, *replies: Reply | None, batches: int = 1) -> None:
        """Let the board get rid of batches while the gateway gives these answers first."""
        self.gateway.upload_replies.extend(replies)
        for index in range(batches):
            self.board.record(samples(start_ms=NOW_MS + 10_000 * index))
        await self.board.drain(patience_s=100_000)


async def test_a_board_claims_exchanges_and_uploads() -> None:
    """The first upload needs three requests, the second one."""
    bench = Bench()
    await bench.upload(batches=2)

    assert bench.gateway.paths == [CLAIM_PATH, EXCHANGE_PATH, UPLOAD_PATH, UPLOAD_PATH]
    claim = link.ClaimDeviceRequest.FromString(bench.gateway.requests[0].body)
    assert (claim.claim_code, claim.hardware_id, len(claim.nonce)) == (CLAIM_CODE, "aa:bb:cc", 16)
    exchange = link.ExchangeSecretRequest.FromString(bench.gateway.requests[1].body)
    assert (exchange.device_id, exchange.secret) == (DEVICE_ID, bench.gateway.secret)
    assert bench.gateway.uploads[0].headers["authorization"] == "Bearer token-1"
    assert [batch.seq for batch in bench.gateway.stored] == [0, 1]
    assert bench.board.pending_count == 0


async def test_a_board_asks_with_the_same_nonce_until_it_has_its_secret() -> None:
    """A lost answer to a claim never bricks a board."""
    bench = Bench()
    bench.gateway.claim_replies.extend([None, Reply(500), Reply(200, b""), Reply(200, b"<html>")])
    await bench.upload()

    claims = [r for r in bench.gateway.requests if r.path == CLAIM_PATH]
    assert len(claims) == 5
    assert len({claim.body for claim in claims}) == 1
    assert bench.board.identity.claimed


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refused_claim_stops_the_board(status: int) -> None:
    """Asking again with a wrong code can't make it right."""
    bench = Bench()
    bench.gateway.claim_replies.append(
        Reply(status, headers={"x-dashtrack-reason": "CLAIM_CODE_INVALID"})
    )
    await bench.upload()

    assert bench.board.stop_reason == "CLAIM_CODE_INVALID"
    assert bench.gateway.paths == [CLAIM_PATH]


async def test_a_retry_has_the_same_bytes_and_counts_in_the_headers() -> None:
    """What changes from try to try is not in the body."""
    bench = Bench()
    await bench.upload(Reply(500), None)

    first, second, third = bench.gateway.uploads
    assert first.body == second.body == third.body
    assert [u.headers["x-dashtrack-attempt"] for u in bench.gateway.uploads] == ["1", "2", "3"]
    uptimes = [int(u.headers["x-dashtrack-uptime-ms"]) for u in bench.gateway.uploads]
    assert uptimes == sorted(uptimes)
    assert all(-120 < int(u.headers["x-dashtrack-signal-dbm"]) < 0 for u in bench.gateway.uploads)
    assert bench.board.tally.retries == 2


@pytest.mark.parametrize("status", [400, 409])
async def test_a_refused_batch_is_quarantined_and_the_next_one_sent(status: int) -> None:
    """One bad batch doesn't hold up the others, and is kept to be looked at."""
    bench = Bench()
    await bench.upload(Reply(status, headers={"x-dashtrack-reason": "BATCH_MALFORMED"}), batches=2)

    (quarantined,) = bench.board.quarantine
    assert (quarantined.status, quarantined.reason) == (status, "BATCH_MALFORMED")
    assert quarantined.batch.body == bench.gateway.uploads[0].body
    assert bench.board.tally.quarantined == 1
    assert [batch.seq for batch in bench.gateway.stored] == [1]


async def test_a_refused_token_is_exchanged_at_once() -> None:
    """401 costs one exchange, no waiting."""
    bench = Bench()
    await bench.upload(Reply(401))

    assert bench.gateway.paths == [
        CLAIM_PATH,
        EXCHANGE_PATH,
        UPLOAD_PATH,
        EXCHANGE_PATH,
        UPLOAD_PATH,
    ]
    assert bench.gateway.uploads[-1].headers["authorization"] == "Bearer token-2"
    assert bench.clock.sleeps_s == []


async def test_a_token_that_is_refused_again_and_again_is_not_exchanged_in_a_hurry() -> None:
    """A server that forgets its keys isn't asked for tokens in a loop."""
    bench = Bench()
    await bench.upload(*[Reply(401)] * 6)

    assert len(bench.clock.sleeps_s) == 5
    assert len(bench.gateway.stored) == 1


@pytest.mark.parametrize("path", [EXCHANGE_PATH, UPLOAD_PATH])
async def test_a_revoked_board_stops(path: str) -> None:
    """403 ends everything; what was not sent is kept."""
    bench = Bench()
    revoked = Reply(403, headers={"x-dashtrack-reason": "DEVICE_REVOKED"})
    if path == EXCHANGE_PATH:
        bench.gateway.exchange_replies.append(revoked)
        await bench.upload()
    else:
        await bench.upload(revoked)

    asked = len(bench.gateway.requests)
    await bench.board.drain()
    await bench.board.step()
    assert bench.board.stop_reason == "DEVICE_REVOKED"
    assert bench.board.pending_count == 1
    assert len(bench.gateway.requests) == asked


async def test_a_batch_that_is_too_large_is_sent_in_parts_of_the_same_number() -> None:
    """413 halves the batch as often as it takes; no reading is lost or sent twice."""
    bench = Bench()
    bench.board.record(samples(8))
    await bench.upload(Reply(413), Reply(413), batches=0)

    batches = bench.gateway.stored
    assert {batch.seq for batch in batches} == {0}
    assert len({batch.part for batch in batches}) == 3
    assert all(batch.part > 0 for batch in batches)
    times = [b.start_unix_ms + i * b.step_ms for b in batches for i in range(b.sample_count)]
    assert times == samples(8).times_ms.tolist()
    assert bench.board.tally.splits == 2


async def test_a_single_point_that_is_too_large_is_quarantined() -> None:
    """What can't be split can't be sent."""
    bench = Bench()
    bench.board.record(samples(1))
    await bench.upload(Reply(413), batches=0)

    assert bench.board.tally.quarantined == 1
    assert bench.board.pending_count == 0


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_obeyed(status: int) -> None:
    """The board stays away for as long as it is told, and hardly longer."""
    bench = Bench()
    await bench.upload(Reply(status, headers={"retry-after": "7"}))

    (waited_s,) = bench.clock.sleeps_s
    assert 7.0 <= waited_s <= 7.7


async def test_retry_after_may_be_a_date() -> None:
    """Proxies send dates."""
    bench = Bench()
    # A minute after the bench's time.
    date = {"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT"}
    await bench.upload(Reply(503, headers=date))

    (waited_s,) = bench.clock.sleeps_s
    assert 60.0 <= waited_s <= 66.0


@pytest.mark.parametrize("reply", [None, Reply(404), Reply(500), Reply(502), Reply(504)])
async def test_everything_else_is_tried_again_with_full_jitter(reply: Reply | None) -> None:
    """The waits are spread below a bound that doubles up to a maximum."""
    bench = Bench(BoardOptions(backoff=Backoff(base_s=1.0, max_s=30.0)))
    await bench.upload(*[reply] * 12)

    bounds_s = [min(30.0, 2.0**failure) for failure in range(1, 13)]
    assert len(bench.clock.sleeps_s) == 12
    assert all(s <= bound for s, bound in zip(bench.clock.sleeps_s, bounds_s, strict=True))
    assert len(set(bench.clock.sleeps_s)) == 12
    assert len(bench.gateway.stored) == 1


async def test_a_success_ends_the_backoff() -> None:
    """The next failure starts from the smallest bound."""
    bench = Bench(BoardOptions(backoff=Backoff(base_s=1.0, max_s=1000.0)))
    await bench.upload(*[Reply(500)] * 8)
    bench.clock.sleeps_s.clear()
    await bench.upload(Reply(500))

    assert bench.clock.sleeps_s[0] <= 2.0


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>welcome</html>"),
        Reply(200, reading_batch_pb2.UploadAck(boot_id=1, seq=0).SerializeToString()),
        Reply(204),
    ],
    ids=["page", "other batch", "empty"],
)
async def test_a_success_that_acknowledges_something_else_keeps_the_batch(reply: Reply) -> None:
    """A captive portal says 200 to everything; only the acknowledgement deletes."""
    bench = Bench()
    await bench.upload(reply)

    assert len(bench.gateway.uploads) == 2
    assert len(bench.gateway.stored) == 1


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


async def test_a_renewed_token_is_used_from_the_next_upload_on() -> None:
    """The token in an acknowledgement spares an exchange."""
    bench = Bench()
    bench.gateway.ack_fields = {"token": "token-renewed", "next_upload_s": 30, "config_version": 4}
    await bench.upload(batches=2)

    assert bench.gateway.uploads[1].headers["authorization"] == "Bearer token-renewed"
    assert bench.gateway.paths.count(EXCHANGE_PATH) == 1
    assert (bench.board.next_upload_s, bench.board.config_version) == (30, 4)


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
