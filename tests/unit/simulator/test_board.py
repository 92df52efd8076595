"""A board claims itself and obeys every answer of the HTTP contract."""

import pytest
from dashtrack.device.v1 import device_link_service_pb2 as link
from dashtrack.device.v1 import reading_batch_pb2

from devices.simulator.board import CLAIM_PATH, EXCHANGE_PATH, UPLOAD_PATH, BoardOptions
from devices.simulator.policy import Backoff
from devices.simulator.transport import Reply
from tests.unit.simulator.gateways import CLAIM_CODE, DEVICE_ID
from tests.unit.simulator.workbench import Bench, samples


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


async def test_a_renewed_token_is_used_from_the_next_upload_on() -> None:
    """The token in an acknowledgement spares an exchange."""
    bench = Bench()
    bench.gateway.ack_fields = {"token": "token-renewed", "next_upload_s": 30, "config_version": 4}
    await bench.upload(batches=2)

    assert bench.gateway.uploads[1].headers["authorization"] == "Bearer token-renewed"
    assert bench.gateway.paths.count(EXCHANGE_PATH) == 1
    assert (bench.board.next_upload_s, bench.board.config_version) == (30, 4)
