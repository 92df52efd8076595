"""Writes `dashtrack.device.v1.ReadingBatch` from columns, byte for byte as protobuf would.

Fields are written in the order of their numbers and defaults are left out, so the same samples
always give the same bytes: a retry must be byte-identical.
"""

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from devices.simulator.samples import Flags, Floats, Integers, Positions, Samples
from devices.simulator.varints import packed_varints, packed_zigzag_varints, varint, zigzag

POINTS_MAX = 10_000
SENSORS_MAX = 64
DECIMALS_MAX = 9
OFFSET_MS_MAX = (1 << 32) - 1
SCALED_MAX = 1 << 52
"""Up to here a scaled integer and its quotient by a power of ten are exact in a double."""

_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_DELTA_MIN, _DELTA_MAX = -(1 << 31), (1 << 31) - 1
_VARINT, _FIXED64, _BYTES = 0, 1, 2


class NotEncodable(ValueError):
    """The samples don't fit into one batch."""


class Encoding(enum.StrEnum):
    """How the values of a sensor are written."""

    FLOAT = "float"
    """32-bit floats: simplest for a board, loses what a float can't hold."""
    SCALED = "scaled"
    """Differences of decimal numbers wherever they are exact, else floats."""
    SMALLEST = "smallest"
    """Whichever of the two takes fewer bytes for this column."""


class TimeBase(enum.StrEnum):
    """What the times of a batch count from."""

    UNIX = "unix"
    UPTIME = "uptime"


@dataclass(frozen=True, slots=True)
class BatchKey:
    """What identifies a batch within its device."""

    boot_id: int
    seq: int
    part: int = 0


def encode_batch(
    key: BatchKey,
    samples: Samples,
    *,
    time_base: TimeBase = TimeBase.UNIX,
    encoding: Encoding = Encoding.SMALLEST,
    dropped_readings: int = 0,
) -> bytes:
    """Return the body of an upload.

    Columns without any value are left out.

    Raises:
        NotEncodable: A limit of the message is exceeded or the times don't ascend.

    """
    _check(samples)
    return b"".join(
        (
            _field(1, _FIXED64, key.boot_id.to_bytes(8, "little")) if key.boot_id else b"",
            _number(2, key.seq),
            _number(3, key.part),
            *_axis(samples.times_ms, time_base),
            *_sensors(samples, encoding),
            _positions(samples.positions),
            _number(11, dropped_readings),
        )
    )


def _check(samples: Samples) -> None:
    problem = ""
    if not 1 <= len(samples) <= POINTS_MAX:
        problem = f"{len(samples)} points; 1 to {POINTS_MAX} fit"
    elif len(samples.sensors) > SENSORS_MAX:
        problem = f"{len(samples.sensors)} sensors; {SENSORS_MAX} fit"
    elif wrong := next((key for key in samples.sensors if not _KEY.fullmatch(key)), None):
        problem = f"{wrong!r} is no sensor key"
    elif len(samples) > 1:
        gaps = np.diff(samples.times_ms)
        if gaps.min() <= 0 or gaps.max() > OFFSET_MS_MAX:
            problem = "times must ascend by 1 to 2^32 - 1 ms"
    if problem:
        raise NotEncodable(problem)


def _axis(times_ms: Integers, time_base: TimeBase) -> Iterator[bytes]:
    start_field = 4 if time_base is TimeBase.UNIX else 5
    # The start is a member of a oneof: it is there even if it is 0.
    yield _field(start_field, _VARINT, varint(int(times_ms[0])))
    gaps = np.diff(times_ms)
    if gaps.size and gaps.min() != gaps.max():
        yield _blob(8, packed_varints(np.concatenate(([0], gaps))))
        return
    yield _number(6, times_ms.size)
    if gaps.size:
        yield _number(7, int(gaps[0]))


def _sensors(samples: Samples, encoding: Encoding) -> Iterator[bytes]:
    for key, values in samples.sensors.items():
        present = ~np.isnan(values)
        if present.any():
            yield _blob(9, _blob(1, key.encode()) + _values(values, present, encoding))


def _values(values: Floats, present: Flags, encoding: Encoding) -> bytes:
    scaled = None if encoding is Encoding.FLOAT else _scaled(values[present], present)
    if scaled is not None and encoding is Encoding.SCALED:
        return scaled
    with np.errstate(over="ignore"):
        floats = _blob(2, values.astype("<f4").tobytes())
    return scaled if scaled is not None and len(scaled) <= len(floats) else floats


def _scaled(values: Floats, present: Flags) -> bytes | None:
    """Return the small encoding, or nothing where it would not be exact."""
    found = _as_decimals(values)
    if found is None:
        return None
    integers, decimals = found
    base = 0 if _DELTA_MIN <= integers[0] <= _DELTA_MAX else int(integers[0])
    deltas = np.diff(integers, prepend=base)
    if deltas.min() < _DELTA_MIN or deltas.max() > _DELTA_MAX:
        return None
    return b"".join(
        (
            _blob(3, packed_zigzag_varints(deltas)),
            _number(4, zigzag(base)),
            _number(5, decimals),
            _mask(6, present),
        )
    )


def _as_decimals(values: Floats) -> tuple[Integers, int] | None:
    """Return integers and the number of decimal places that give exactly these values back."""
    if not np.isfinite(values).all():
        return None
    for decimals in range(DECIMALS_MAX + 1):
        power = 10.0**decimals
        with np.errstate(over="ignore"):
            scaled = np.rint(values * power)
        if np.abs(scaled).max() > SCALED_MAX:
            return None
        if np.array_equal(scaled / power, values):
            return scaled.astype(np.int64), decimals
    return None


def _positions(positions: Positions | None) -> bytes:
    if positions is None or not positions.present.any():
        return b""
    columns = []
    for number, coordinates in ((1, positions.latitude_e7), (2, positions.longitude_e7)):
        deltas = np.diff(coordinates[positions.present], prepend=0)
        if deltas.min() < _DELTA_MIN or deltas.max() > _DELTA_MAX:
            raise NotEncodable("a position is too far from the one before for one batch")
        columns.append(_blob(number, packed_zigzag_varints(deltas)))
    return _blob(10, b"".join(columns) + _mask(3, positions.present))


def _mask(number: int, present: Flags) -> bytes:
    if present.all():
        return b""
    return _blob(number, np.packbits(present, bitorder="little").tobytes())


def _number(number: int, value: int) -> bytes:
    return _field(number, _VARINT, varint(value)) if value else b""


def _blob(number: int, content: bytes) -> bytes:
    return _field(number, _BYTES, varint(len(content)) + content)


def _field(number: int, wire_type: int, content: bytes) -> bytes:
    return varint(number << 3 | wire_type) + content
