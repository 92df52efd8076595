"""The batches that wait to be acknowledged: bounded, and kept as the bytes that will be sent."""

import gzip
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from devices.simulator.wire import BatchKey


@dataclass(slots=True, eq=False)
class PendingBatch:
    """An encoded batch and what there is to know about its delivery."""

    key: BatchKey
    body: bytes
    gzipped: bool
    reading_count: int
    dropped_readings: int
    """What the batch reports as dropped; reported anew if the batch itself is lost."""
    attempts: int = 0
    sending: bool = False

    @property
    def plain_body(self) -> bytes:
        """Return the encoded batch without compression."""
        return gzip.decompress(self.body) if self.gzipped else self.body


class PendingBatches:
    """A ring: the oldest batch gives way to a new one when there is no room."""

    def __init__(self, batches_max: int) -> None:
        if batches_max < 2:
            raise ValueError("a board needs room for two batches: one is being sent")
        self._batches: deque[PendingBatch] = deque()
        self._batches_max = batches_max
        self.lost_readings = 0
        """Readings that were dropped and not yet reported."""

    def __len__(self) -> int:
        """Return the number of batches that wait."""
        return len(self._batches)

    def __iter__(self) -> Iterator[PendingBatch]:
        """Iterate from the oldest to the newest."""
        return iter(self._batches)

    @property
    def full(self) -> bool:
        """Return whether the next batch pushes another one out."""
        return len(self._batches) >= self._batches_max

    def oldest(self) -> PendingBatch:
        """Return the batch that is sent next."""
        return self._batches[0]

    def make_room(self) -> int:
        """Drop as many batches as one more needs, and return the number of their readings."""
        dropped = 0
        while self.full:
            # The batch on the wire may well be stored already: the next oldest goes instead.
            victim = self._batches[1] if self._batches[0].sending else self._batches[0]
            self._batches.remove(victim)
            self.lost_readings += victim.reading_count + victim.dropped_readings
            dropped += victim.reading_count
        return dropped

    def append(self, batch: PendingBatch) -> None:
        """Add the newest batch, which reports all losses so far."""
        self._batches.append(batch)
        self.lost_readings = 0

    def replace_oldest(self, by: Sequence[PendingBatch] = ()) -> None:
        """Remove the oldest batch, or put the parts it was split into in its place."""
        self._batches.popleft()
        self._batches.extendleft(reversed(by))
