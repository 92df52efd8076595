"""How often a login may fail: each failure fills a bucket, and time empties it again.

A bucket is one moment, `spent_until` (the generic cell rate algorithm): each failure moves it on by
`window / failures_max`, and an attempt is refused while it lies more than a window ahead. A refused
attempt costs nothing, so whoever is throttled gets the next try after a known, bounded time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Limit:
    """So many failures in a row, and as many again spread over each window."""

    failures_max: int
    window: timedelta

    @property
    def step(self) -> timedelta:
        """How far one failure moves the bucket."""
        return self.window / self.failures_max


@dataclass(frozen=True, slots=True)
class Charge:
    """What one attempt costs one bucket."""

    key: bytes
    limit: Limit


Buckets = Mapping[bytes, datetime]


def wait_s(charges: Sequence[Charge], buckets: Buckets, now: datetime) -> float:
    """Return how long the attempt must wait; 0 if it may go ahead."""
    waits = (_spent(buckets, charge, now) - charge.limit.window - now for charge in charges)
    return max(wait.total_seconds() for wait in (*waits, timedelta(0)))


def charged(charges: Sequence[Charge], buckets: Buckets, now: datetime) -> dict[bytes, datetime]:
    """Return the buckets after an attempt."""
    return {charge.key: _spent(buckets, charge, now) for charge in charges}


def refunded(charges: Sequence[Charge], buckets: Buckets) -> dict[bytes, datetime]:
    """Return the buckets after an attempt turned out well: it costs nothing."""
    return {
        charge.key: buckets[charge.key] - charge.limit.step
        for charge in charges
        if charge.key in buckets
    }


def _spent(buckets: Buckets, charge: Charge, now: datetime) -> datetime:
    return max(buckets.get(charge.key, now), now) + charge.limit.step
