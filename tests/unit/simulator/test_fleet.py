"""Boards side by side deliver everything that their sources sampled."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from devices.simulator.board import Board, BoardOptions
from devices.simulator.claims import ClaimsInvalid, read_claims
from devices.simulator.drives import Drive
from devices.simulator.fleet import Fleet, Member
from devices.simulator.identity import Identity
from devices.simulator.recorder import RecorderOptions
from devices.simulator.tally import Tally
from devices.simulator.transport import Reply
from tests.unit.simulator.gateways import NOW_MS, FakeClock, FakeGateway

HOUR_MS = 3_600_000


class Yard:
    """A fleet in front of a gateway that obeys the test."""

    def __init__(self, count: int, *, since_ms: int = NOW_MS, batches_max: int = 64) -> None:
        self.gateways = [FakeGateway() for _ in range(count)]
        # Boards wait side by side, so each has a clock of its own.
        self.clocks = [FakeClock() for _ in range(count)]
        self.fleet = Fleet(
            [
                Member(
                    Board(
                        Identity(f"board-{index}", "CLAIM-CODE"),
                        gateway,
                        options=BoardOptions(recorder=RecorderOptions(batches_max=batches_max)),
                        clock=clock,
                        rng=random.Random(index),
                    ),
                    Drive(index, since_ms, step_ms=1000),
                )
                for index, (gateway, clock) in enumerate(
                    zip(self.gateways, self.clocks, strict=True)
                )
            ],
            clock=self.clocks[0],
        )

    def stored_points(self, index: int) -> int:
        """Return how many points a board has delivered."""
        return sum(batch.sample_count for batch in self.gateways[index].stored)


async def test_a_backfill_delivers_the_whole_past_in_order() -> None:
    """More than the ring holds passes through it without loss."""
    yard = Yard(3, since_ms=NOW_MS - HOUR_MS, batches_max=8)
    await yard.fleet.backfill(NOW_MS - HOUR_MS, NOW_MS)

    for index, gateway in enumerate(yard.gateways):
        starts_ms = [batch.start_unix_ms for batch in gateway.stored]
        assert starts_ms == sorted(starts_ms)
        assert yard.stored_points(index) == 3601
    assert yard.fleet.tally.dropped_readings == 0
    assert yard.fleet.undelivered_count == 0


async def test_a_live_fleet_uploads_as_time_passes_and_ends() -> None:
    """A batch covers the time since the last one; the end brings the rest."""
    yard = Yard(1)
    await yard.fleet.live(22.0)

    assert yard.stored_points(0) == 23
    assert len(yard.gateways[0].stored) == 5
    assert yard.fleet.tally.claims == 1


async def test_a_fleet_uploads_as_often_as_the_server_asks() -> None:
    """After the first acknowledgement its interval counts."""
    yard = Yard(1)
    yard.gateways[0].ack_fields = {"next_upload_s": 30}
    await yard.fleet.live(100.0)

    assert [batch.sample_count for batch in yard.gateways[0].stored] == [6, 30, 30, 30, 5]


async def test_a_stopped_fleet_still_delivers_what_it_sampled() -> None:
    """An interrupt ends the sampling, not the delivery."""
    yard = Yard(1)
    yard.gateways[0].on_upload = yard.fleet.stop
    await yard.fleet.live(3600.0)

    assert len(yard.gateways[0].stored) == 1
    assert yard.fleet.undelivered_count == 0


async def test_a_revoked_board_does_not_hold_up_the_others() -> None:
    """It ends for itself; what it kept is not waited for."""
    yard = Yard(2, since_ms=NOW_MS - HOUR_MS)
    yard.gateways[0].upload_replies.append(Reply(403))
    await yard.fleet.backfill(NOW_MS - HOUR_MS, NOW_MS)

    assert yard.fleet.members[0].board.stopped
    assert yard.stored_points(1) == 3601
    assert yard.fleet.undelivered_count == 0
    assert yard.fleet.tally.stopped == 1


async def test_a_gateway_that_never_answers_is_given_up() -> None:
    """Patience bounds every phase, and what is left is told."""
    yard = Yard(1)
    yard.gateways[0].claim_replies.extend([None] * 1000)
    await yard.fleet.claim(patience_s=30.0)
    await yard.fleet.live(20.0)

    assert yard.fleet.undelivered_count > 0
    assert yard.fleet.tally.answers["no reply"] > 0


def test_a_total_adds_counts_answers_and_latencies() -> None:
    """The line of a fleet comes from all of its boards."""
    one, other = Tally(uploads=2, readings=10, body_bytes=50), Tally(uploads=1, readings=10)
    one.answers["200"] += 2
    other.answers["200"] += 1
    one.latencies_ms.extend([1.0, 2.0])
    other.latencies_ms.append(100.0)
    total = Tally.total([one, other])

    assert (total.uploads, total.answers["200"], total.bytes_per_reading) == (3, 3, 2.5)
    assert (total.latency_ms(0.5), total.latency_ms(0.99)) == (2.0, 100.0)
    assert "3 uploads, 20 readings, 2.50 bytes each" in total.line()


def test_an_idle_fleet_has_a_line_too() -> None:
    """Nothing is divided by nothing."""
    assert "0 uploads" in Tally.total([]).line()


def test_claims_are_read_as_the_api_gave_them(tmp_path: Path) -> None:
    """Answers may follow each other in any layout."""
    answers = [
        {"device": {"hardwareId": f"aa:{number}"}, "claimCode": f"CODE-{number}"}
        for number in range(3)
    ]
    path = tmp_path / "claims.json"
    path.write_text(
        json.dumps(answers[0], indent=1) + json.dumps(answers[1]) + "\n" + json.dumps(answers[2])
    )
    assert [(i.hardware_id, i.claim_code) for i in read_claims(path)] == [
        ("aa:0", "CODE-0"),
        ("aa:1", "CODE-1"),
        ("aa:2", "CODE-2"),
    ]


@pytest.mark.parametrize("text", ["", "{}", "[1]", "CODE-7", '{"device": {}, "claimCode": "C-7"}'])
def test_a_file_without_claims_is_refused_without_repeating_it(tmp_path: Path, text: str) -> None:
    """A claim code that landed in the wrong shape stays out of the terminal."""
    path = tmp_path / "claims.json"
    path.write_text(text)
    with pytest.raises(ClaimsInvalid) as refusal:
        read_claims(path)
    assert "7" not in str(refusal.value).replace(str(path), "")


def test_drives_of_a_fleet_differ() -> None:
    """Seeds next to each other are different roads."""
    first, second = (Drive(seed, NOW_MS).take(NOW_MS + 60_000) for seed in (1, 2))
    assert not np.array_equal(first.sensors["odometer_m"], second.sensors["odometer_m"])
