"""Identifiers."""

import time

from services.chassis.ids import new_id


def test_ids_are_of_version_7_and_unique() -> None:
    """Ids say what they are and never repeat."""
    ids = [new_id() for _ in range(1000)]
    assert {made.version for made in ids} == {7}
    assert {made.variant for made in ids} == {"specified in RFC 4122"}
    assert len(set(ids)) == len(ids)


def test_ids_carry_the_time_they_were_made() -> None:
    """The upper 48 bits are the Unix time in milliseconds."""
    before_ms = time.time_ns() // 1_000_000
    made_ms = new_id().int >> 80
    assert before_ms <= made_ms <= time.time_ns() // 1_000_000


def test_later_ids_sort_after_earlier_ones() -> None:
    """Ids that were made a moment apart sort by time."""
    earlier = new_id()
    time.sleep(0.002)
    assert earlier < new_id()
