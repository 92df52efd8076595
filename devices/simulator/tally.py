"""What boards did, counted: for a summary, a progress line and tests."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Self

LATENCIES_MAX = 20_000
"""Percentiles are those of the newest uploads; a long run doesn't grow without bound."""


@dataclass(slots=True)
class Tally:
    """Counts of one board or of a whole fleet."""

    claims: int = 0
    exchanges: int = 0
    uploads: int = 0
    repeats: int = 0
    """Uploads that had been stored before."""
    readings: int = 0
    body_bytes: int = 0
    retries: int = 0
    splits: int = 0
    quarantined: int = 0
    dropped_readings: int = 0
    stopped: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    """By status, or `no reply`."""
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_MAX))

    def latency_ms(self, quantile: float) -> float:
        """Return a quantile of the time to an acknowledgement; 0 before the first."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else 0.0

    @property
    def bytes_per_reading(self) -> float:
        """Return the size of the acknowledged bodies for each of their readings."""
        return self.body_bytes / self.readings if self.readings else 0.0

    def line(self) -> str:
        """Return the figures that matter in one line."""
        return (
            f"{self.uploads:,} uploads, {self.readings:,} readings, "
            f"{self.bytes_per_reading:.2f} bytes each; acknowledged in "
            f"{self.latency_ms(0.5):.0f} ms (p50), {self.latency_ms(0.99):.0f} ms (p99); "
            f"{self.retries:,} retries, {self.quarantined:,} quarantined, "
            f"{self.dropped_readings:,} readings dropped"
        )

    @classmethod
    def total(cls, tallies: Iterable[Self]) -> Self:
        """Return the sum of the counts of several boards."""
        total = cls()
        for tally in tallies:
            for count in fields(cls):
                ours, theirs = getattr(total, count.name), getattr(tally, count.name)
                if isinstance(ours, deque):
                    ours.extend(theirs)
                else:
                    setattr(total, count.name, ours + theirs)
        return total
