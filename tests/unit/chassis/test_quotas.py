"""A quota lets in as many as it says, and 0 lets in all."""

import pytest

from services.chassis.errors import Kind, QuotaExceeded, require_quota


@pytest.mark.parametrize(("limit", "used"), [(1, 0), (5, 4), (0, 0), (0, 1_000_000)])
def test_there_may_be_as_many_as_the_limit(limit: int, used: int) -> None:
    """One more is fine below the limit, and always without one."""
    require_quota("vehicles", limit=limit, used=used)


@pytest.mark.parametrize("used", [5, 6, 900])
def test_there_may_not_be_more_than_the_limit(used: int) -> None:
    """At the limit and beyond it, where a downgrade leaves a company, one more is refused."""
    with pytest.raises(QuotaExceeded) as refusal:
        require_quota("vehicles", limit=5, used=used)

    assert refusal.value.kind is Kind.PRECONDITION
    assert refusal.value.metadata == {"quota": "vehicles", "limit": "5", "used": str(used)}
    assert refusal.value.retry_after_s is None
