"""A batch on its way into the store: its identity, its time, its limits.

Plain (not frozen) dataclasses with slots, since one of each is made for every upload.
"""

import enum
import uuid
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

BODY_BYTES_MAX = 65_536
READINGS_MAX = 10_000
SENSORS_MAX = 64
UPTIME_MS_MAX = 2**53 - 1

BatchKey = tuple[int, int, int, int, int, int]
"""Company, device (both as integers), t0, boot, seq, part: sorts as the primary key does."""


@dataclass(slots=True)
class BatchShape:
    """What a valid body says of itself, without its values."""

    boot_id: int
    seq: int
    part: int
    start_ms: int
    """Milliseconds since 1970, or since the board's boot if `boot_relative`."""
    boot_relative: bool
    span_ms: int
    """From the start to the last point."""
    reading_count: int
    """Value slots in all columns."""
    sensors: AbstractSet[str] = frozenset()


@dataclass(slots=True)
class NewBatch:
    """A batch that is ready to be stored."""

    company_id: uuid.UUID
    device_id: uuid.UUID
    t0_ms: int
    boot_id: int
    seq: int
    part: int
    t1_ms: int
    reading_count: int
    digest: bytes
    payload: bytes
    widened_span_ms: int = 0
    """The device's new span bound if this batch exceeds the one that is known, else 0."""

    @property
    def key(self) -> BatchKey:
        """What identifies the batch."""
        return (
            self.company_id.int,
            self.device_id.int,
            self.t0_ms,
            self.boot_id,
            self.seq,
            self.part,
        )


class Verdict(enum.Enum):
    """What the store found."""

    STORED = enum.auto()
    REPEATED = enum.auto()
    CONFLICTING = enum.auto()
    BARRED = enum.auto()
    """Neither stored nor there: the company is being erased, or the partition dropped."""


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """How far back and ahead of the server's clock readings may lie."""

    back_ms: int
    ahead_ms: int

    def bounds(self, now_ms: int) -> tuple[int, int]:
        """Return the earliest start and the latest end that are accepted."""
        return now_ms - self.back_ms, now_ms + self.ahead_ms


def span_bound_ms(span_ms: int) -> int:
    """Round a span up to a power of two: a device's bound then moves a few dozen times at most."""
    return 1 << max(span_ms - 1, 0).bit_length() if span_ms else 0
