"""The rules of waiting, apart from the board that waits."""

import random

import pytest

from devices.simulator.policy import RETRY_AFTER_S_MAX, Backoff, retry_after_s

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("5", 5.0),
        (" 0.5 ", 0.5),
        ("-3", 0.0),
        ("1e9", RETRY_AFTER_S_MAX),
        ("inf", RETRY_AFTER_S_MAX),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:30", 10.0),
        ("Mon, 13 Nov 2023 22:13:30 GMT", 0.0),
        ("", None),
        ("nan", None),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_reason(
    text: str, expected_s: float | None
) -> None:
    """Nonsense is no answer, and no server sends a board away for ever."""
    assert retry_after_s({"retry-after": text}, NOW_MS) == expected_s


def test_no_header_asks_for_nothing() -> None:
    """Without the header the board decides by itself."""
    assert retry_after_s({}, NOW_MS) is None


def test_an_endless_outage_does_not_overflow_the_backoff() -> None:
    """The wait stays below its maximum after any number of failures."""
    backoff = Backoff(base_s=1.0, max_s=60.0)
    assert 0 <= backoff.wait_s(1_000_000, random.Random(3)) <= 60.0
