"""Turns samples into encoded batches that wait for their upload."""

import gzip
from dataclasses import dataclass

from devices.simulator.batching import DEFAULT_LIMITS, cut
from devices.simulator.boot import BootTime
from devices.simulator.decode import decode_batch
from devices.simulator.pending import PendingBatch, PendingBatches
from devices.simulator.samples import Samples
from devices.simulator.wire import BatchKey, Encoding, TimeBase, encode_batch

_PART_MAX = 65_535


@dataclass(frozen=True, slots=True)
class RecorderOptions:
    """How a board encodes and how much it keeps."""

    encoding: Encoding = Encoding.SMALLEST
    gzip: bool = False
    batches_max: int = 64


class Recorder:
    """Encodes what one boot samples, once; the bytes never change afterwards."""

    def __init__(self, boot_id: int, time: BootTime, options: RecorderOptions) -> None:
        self.boot_id = boot_id
        self.limits = DEFAULT_LIMITS
        self.pending = PendingBatches(options.batches_max)
        self._time = time
        self._options = options
        self._seq = 0

    def record(self, samples: Samples) -> int:
        """Encode samples and return the number of readings that were dropped to make room."""
        stamped, time_base = self._time.stamped(samples)
        return sum(self._add(run, time_base) for run in cut(stamped, self.limits))

    def split_oldest(self) -> bool:
        """Replace the oldest batch by two halves; return False for a single point.

        Parts are numbered like a binary heap, so that halves of halves are unique too.
        """
        batch = self.pending.oldest()
        decoded = decode_batch(batch.plain_body)
        middle = len(decoded.samples) // 2
        first_part = 2 * batch.key.part + 1
        if middle == 0 or first_part >= _PART_MAX:
            return False
        halves = (
            (first_part, decoded.samples.slice(0, middle), batch.dropped_readings),
            (first_part + 1, decoded.samples.slice(middle, len(decoded.samples)), 0),
        )
        parts = [
            self._encode(
                BatchKey(batch.key.boot_id, batch.key.seq, part), half, decoded.time_base, dropped
            )
            for part, half, dropped in halves
        ]
        self.pending.replace_oldest(parts)
        return True

    def _add(self, samples: Samples, time_base: TimeBase) -> int:
        if samples.reading_count == 0:
            return 0
        dropped = self.pending.make_room()
        key = BatchKey(self.boot_id, self._seq)
        batch = self._encode(key, samples, time_base, self.pending.lost_readings)
        if len(batch.plain_body) > self.limits.body_bytes_max and len(samples) > 1:
            middle = len(samples) // 2
            halves = samples.slice(0, middle), samples.slice(middle, len(samples))
            return dropped + sum(self._add(half, time_base) for half in halves)
        self._seq += 1
        self.pending.append(batch)
        return dropped

    def _encode(
        self, key: BatchKey, samples: Samples, time_base: TimeBase, dropped_readings: int
    ) -> PendingBatch:
        body = encode_batch(
            key,
            samples,
            time_base=time_base,
            encoding=self._options.encoding,
            dropped_readings=dropped_readings,
        )
        # No time goes into the header: a retry must have the same bytes.
        packed = gzip.compress(body, mtime=0) if self._options.gzip else body
        smaller = len(packed) < len(body)
        return PendingBatch(
            key=key,
            body=packed if smaller else body,
            gzipped=smaller,
            reading_count=samples.reading_count,
            dropped_readings=dropped_readings,
        )
