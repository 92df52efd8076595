"""The bucket that a company's uploads are taken out of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.telemetry.domain.companies import UploadBudget

STEPS = st.lists(st.floats(0, 30), min_size=1, max_size=200)


@given(limit=st.integers(1, 500), pauses_s=STEPS)
def test_no_span_of_time_sees_more_than_its_share_and_a_minute(
    limit: int, pauses_s: list[float]
) -> None:
    """Whatever the pattern: a full bucket, and what flows in meanwhile."""
    budget, now_s, taken = UploadBudget(limit, 0.0), 0.0, 0
    for pause_s in pauses_s:
        now_s += pause_s
        while budget.take(now_s) == 0.0:
            taken += 1

        assert taken <= limit + now_s * limit / 60 + 1e-6


@given(limit=st.integers(1, 500), pauses_s=STEPS)
def test_the_first_who_is_refused_may_come_back_when_told(
    limit: int, pauses_s: list[float]
) -> None:
    """The time is honest: neither too early nor for nothing."""
    budget, now_s = UploadBudget(limit, 0.0), 0.0
    for pause_s in pauses_s:
        now_s += pause_s
        while not (wait_s := budget.take(now_s)):
            pass
        now_s += wait_s + 1e-6

        assert budget.take(now_s) == 0.0


def test_those_who_are_refused_get_times_one_after_the_other() -> None:
    """A fleet does not come back as one, nor is anybody sent away for long."""
    budget = UploadBudget(60, 0.0)
    while not budget.take(0.0):
        pass

    waits_s = [budget.take(0.0) for _ in range(1000)]

    assert waits_s == sorted(waits_s)
    assert waits_s[:3] == pytest.approx([2.0, 3.0, 4.0])
    assert waits_s[-1] == 300.0


@pytest.mark.parametrize(("before", "after"), [(10, 100), (100, 10)])
def test_another_limit_keeps_the_share_that_is_left(before: int, after: int) -> None:
    """Changing the plan neither fills the bucket nor empties it."""
    budget = UploadBudget(before, 0.0)
    for _ in range(before // 2):
        budget.take(0.0)

    budget.resize(after, 0.0)

    assert [budget.take(0.0) == 0.0 for _ in range(after // 2 + 1)].count(True) == after // 2
