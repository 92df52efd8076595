"""Reads `ReadingBatch` bodies without making an object of each number.

The body is parsed with the alias message `ReadingBatchView`, whose packed fields are plain bytes.
Whatever that can't be sure of (unpacked or overlong encodings, fields that it doesn't know) goes
through the typed parser once and comes back in the common form, so that there is one set of rules.
"""

import re
from collections.abc import Callable
from typing import TypeVar

from dashtrack.device.internal.v1.reading_batch_view_pb2 import (
    PositionColumnView,
    ReadingBatchView,
    SensorColumnView,
)
from dashtrack.device.v1.reading_batch_pb2 import ReadingBatch
from google.protobuf.message import DecodeError

from services.telemetry.codec.varints import (
    UncommonEncodingError,
    decoded_uint32,
    float_count,
    joined_floats,
    joined_varints,
    packed_varint_count,
)
from services.telemetry.domain.batches import (
    READINGS_MAX,
    SENSORS_MAX,
    UPTIME_MS_MAX,
    BatchShape,
)
from services.telemetry.domain.errors import BatchMalformed, BatchTooLarge

T = TypeVar("T")

_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_PART_MAX = 65_535
_BASE_MAX = 2**52
_DECIMALS_MAX = 9


def inspect(body: bytes) -> BatchShape:
    """Check a body against every rule of the contract and return what it says of itself.

    Raises:
        BatchMalformed: it is not a batch, or breaks a rule.
        BatchTooLarge: it has too many sensors or readings.
    """
    return read_view(body, _shape)


def read_view(body: bytes, read: Callable[[ReadingBatchView], T]) -> T:
    """Hand the view of a body to a reader, and a canonical one if the first is too uncommon for it.

    Raises:
        BatchMalformed: the body is not a batch.
    """
    try:
        view = ReadingBatchView.FromString(body)
        view.DiscardUnknownFields()
        # Equal sizes mean that nothing was unknown, unpacked or overlong at this level.
        if view.ByteSize() == len(body):
            return read(view)
    except UncommonEncodingError:
        pass
    except DecodeError as err:
        raise BatchMalformed("it does not parse") from err
    return read(_canonical_view(body))


def _canonical_view(body: bytes) -> ReadingBatchView:
    try:
        typed = ReadingBatch.FromString(body)
    except DecodeError as err:
        raise BatchMalformed("it does not parse") from err
    typed.DiscardUnknownFields()
    return ReadingBatchView.FromString(typed.SerializeToString())


def _shape(view: ReadingBatchView) -> BatchShape:
    boot_id, part = view.boot_id, view.part
    if not boot_id:
        raise BatchMalformed("boot_id is missing")
    if part > _PART_MAX:
        raise BatchMalformed("part is above 65535")
    start = view.WhichOneof("start")
    if start is None:
        raise BatchMalformed("the start is missing")
    boot_relative = start == "start_uptime_ms"
    start_ms = view.start_uptime_ms if boot_relative else view.start_unix_ms
    if boot_relative and start_ms > UPTIME_MS_MAX:
        raise BatchMalformed("start_uptime_ms is too large")
    point_count, span_ms = _axis(view)
    reading_count, sensors = _check_columns(view, point_count)
    return BatchShape(
        boot_id, view.seq, part, start_ms, boot_relative, span_ms, reading_count, sensors
    )


def _axis(view: ReadingBatchView) -> tuple[int, int]:
    offsets, sample_count = joined_varints(view.offsets_ms), view.sample_count
    count = packed_varint_count([offsets]) if offsets else sample_count
    if max(count, sample_count) > READINGS_MAX:
        raise BatchTooLarge("readings", limit=READINGS_MAX, actual=max(count, sample_count))
    if not count:
        raise BatchMalformed("it has no points")
    if offsets:
        if sample_count not in (0, count):
            raise BatchMalformed("sample_count is not the number of offsets_ms")
        return count, int(decoded_uint32(offsets).sum())
    if count > 1 and not view.step_ms:
        raise BatchMalformed("step_ms is missing")
    return count, view.step_ms * (count - 1)


def _check_columns(view: ReadingBatchView, points: int) -> tuple[int, set[str]]:
    sensors = view.sensors
    if len(sensors) > SENSORS_MAX:
        raise BatchTooLarge("sensors", limit=SENSORS_MAX, actual=len(sensors))
    has_positions = view.HasField("positions")
    readings = points * (len(sensors) + has_positions)
    if readings > READINGS_MAX:
        raise BatchTooLarge("readings", limit=READINGS_MAX, actual=readings)
    keys: set[str] = set()
    for column in sensors:
        key = column.key
        if not _KEY.fullmatch(key):
            raise BatchMalformed("a sensor's key is not well formed")
        keys.add(key)
        _check_sensor(column, points)
    if len(keys) != len(sensors):
        raise BatchMalformed("a sensor occurs twice")
    if has_positions:
        _check_positions(view.positions, points)
    return readings, keys


def _check_sensor(column: SensorColumnView, points: int) -> None:
    values = column.values
    if len(values) == 1 and len(values[0]) == 4 * points and not (column.deltas or column.present):
        return
    value_count = float_count(joined_floats(values))
    delta_count = packed_varint_count(column.deltas)
    if value_count:
        if delta_count:
            raise BatchMalformed(f"{column.key} has both values and deltas")
        if column.present:
            raise BatchMalformed(f"{column.key} has a presence mask beside values")
        if value_count != points:
            raise BatchMalformed(f"{column.key} has not one value for each point")
        return
    if delta_count != _present_count(column.present, points, column.key):
        raise BatchMalformed(f"{column.key} has not one delta for each present point")
    if abs(column.base) > _BASE_MAX:
        raise BatchMalformed(f"the base of {column.key} is too large")
    if column.decimals > _DECIMALS_MAX:
        raise BatchMalformed(f"{column.key} has more than 9 decimals")


def _check_positions(column: PositionColumnView, points: int) -> None:
    present = _present_count(column.present, points, "positions")
    for chunks in (column.latitude_e7_deltas, column.longitude_e7_deltas):
        if packed_varint_count(chunks) != present:
            raise BatchMalformed("positions has not one delta for each present point")


def _present_count(mask: bytes, points: int, name: str) -> int:
    if not mask:
        return points
    bits = int.from_bytes(mask, "little")
    if len(mask) != (points + 7) // 8 or bits >> points:
        raise BatchMalformed(f"the presence mask of {name} is not as long as the axis")
    return bits.bit_count()
