"""Bodies are read alike by both parsers, whatever legal form a sender gives them."""

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dashtrack.device.v1.reading_batch_pb2 import PositionColumn, ReadingBatch, SensorColumn
from hypothesis import given
from hypothesis import strategies as st

from services.telemetry.codec.columns import (
    decode_columns,
    decode_newest,
    decode_series,
    decode_track,
)
from services.telemetry.codec.wire import inspect
from services.telemetry.domain.errors import BatchMalformed

GOLDEN = Path(__file__).parents[2] / "golden" / "wire"

INT32 = st.integers(-(2**31), 2**31 - 1)
FLOAT32 = st.floats(width=32, allow_nan=True)


def mask(present: list[bool]) -> bytes:
    """A presence mask, the lowest bit of the first byte first."""
    bits = sum(bit << i for i, bit in enumerate(present))
    return bits.to_bytes((len(present) + 7) // 8, "little")


@st.composite
def sensors(draw: st.DrawFn, key: str, points: int) -> SensorColumn:
    """A column in any of its encodings."""
    if draw(st.booleans()):
        values = draw(st.lists(FLOAT32, min_size=points, max_size=points))
        return SensorColumn(key=key, values=values)
    present = draw(st.lists(st.booleans(), min_size=points, max_size=points))
    masked = not all(present) or draw(st.booleans())
    count = sum(present) if masked else points
    return SensorColumn(
        key=key,
        deltas=draw(st.lists(INT32, min_size=count, max_size=count)),
        base=draw(st.integers(-(2**52), 2**52)),
        decimals=draw(st.integers(0, 9)),
        present=mask(present) if masked else b"",
    )


@st.composite
def batches(draw: st.DrawFn) -> ReadingBatch:
    """A valid batch."""
    points = draw(st.integers(1, 20))
    batch = ReadingBatch(
        boot_id=draw(st.integers(1, 2**64 - 1)),
        seq=draw(st.integers(0, 2**32 - 1)),
        part=draw(st.integers(0, 65535)),
        start_unix_ms=draw(st.integers(0, 2**42)),
    )
    if draw(st.booleans()):
        batch.offsets_ms.extend(
            draw(st.lists(st.integers(0, 2**32 - 1), min_size=points, max_size=points))
        )
    else:
        batch.sample_count = points
        batch.step_ms = draw(st.integers(1, 2**32 - 1))
    for i in range(draw(st.integers(0, 4))):
        batch.sensors.append(draw(sensors(f"sensor_{i}", points)))
    if draw(st.booleans()):
        latitudes = draw(st.lists(INT32, min_size=points, max_size=points))
        longitudes = draw(st.lists(INT32, min_size=points, max_size=points))
        batch.positions.CopyFrom(
            PositionColumn(latitude_e7_deltas=latitudes, longitude_e7_deltas=longitudes)
        )
    return batch


def expected_times(batch: ReadingBatch) -> list[int]:
    """The axis, computed number by number."""
    if not batch.offsets_ms:
        return [batch.start_unix_ms + i * batch.step_ms for i in range(batch.sample_count)]
    times, now = [], batch.start_unix_ms
    for offset in batch.offsets_ms:
        now += offset
        times.append(now)
    return times


def expected_series(column: SensorColumn, times: list[int]) -> list[tuple[int, float]]:
    """A column's readings, computed number by number."""
    if column.values:
        pairs = zip(times, column.values, strict=True)
        return [(time, value) for time, value in pairs if not math.isnan(value)]
    bits = int.from_bytes(column.present, "little") if column.present else (1 << len(times)) - 1
    present = [time for i, time in enumerate(times) if bits >> i & 1]
    total, found = column.base, []
    for time, delta in zip(present, column.deltas, strict=True):
        total += delta
        found.append((time, total / 10**column.decimals))
    return found


def check(body: bytes, batch: ReadingBatch) -> None:
    """Compare everything that is read from a body with the typed message."""
    times = expected_times(batch)
    shape = inspect(body)
    assert (shape.boot_id, shape.seq, shape.part) == (batch.boot_id, batch.seq, batch.part)
    assert shape.start_ms + shape.span_ms == times[-1]
    columns_read = len(batch.sensors) + batch.HasField("positions")
    assert shape.reading_count == len(times) * columns_read
    columns = decode_columns(body, batch.start_unix_ms)
    newest = decode_newest(body, batch.start_unix_ms)
    assert list(columns.sensors) == [column.key for column in batch.sensors]
    for column in batch.sensors:
        series = columns.sensors[column.key]
        readings = list(zip(series.times_ms.tolist(), series.values.tolist(), strict=True))
        assert readings == expected_series(column, times)
        alone = decode_series(body, batch.start_unix_ms, column.key)
        assert alone is not None
        assert np.array_equal(alone.values, series.values)
        last = newest.sensors[column.key]
        assert last.is_missing if not readings else (last.time_ms, last.value) == readings[-1]
    track = decode_track(body, batch.start_unix_ms)
    for degrees, deltas in (
        (track.latitudes_e7, batch.positions.latitude_e7_deltas),
        (track.longitudes_e7, batch.positions.longitude_e7_deltas),
    ):
        assert degrees.tolist() == np.cumsum(np.array(deltas, np.int64)).tolist()


@given(batches())
def test_packed_bodies_say_what_the_typed_parser_says(batch: ReadingBatch) -> None:
    """The usual form of a body is read to the same numbers as the typed message holds."""
    check(batch.SerializeToString(), batch)


def varint(number: int) -> bytes:
    """Encode an unsigned varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, wire_type: int, content: bytes) -> bytes:
    """Encode a field; length-delimited ones get their length."""
    length = varint(len(content)) if wire_type == 2 else b""
    return varint(number << 3 | wire_type) + length + content


def unpacked(batch: ReadingBatch) -> bytes:
    """Encode a batch with every repeated number as a field of its own."""
    rest = ReadingBatch()
    rest.CopyFrom(batch)
    rest.ClearField("sensors")
    rest.ClearField("offsets_ms")
    out = rest.SerializeToString()
    out += b"".join(field(8, 0, varint(offset)) for offset in batch.offsets_ms)
    for column in batch.sensors:
        head = SensorColumn()
        head.CopyFrom(column)
        head.ClearField("values")
        head.ClearField("deltas")
        content = head.SerializeToString()
        content += b"".join(field(2, 5, struct.pack("<f", value)) for value in column.values)
        zigzags = (2 * delta if delta >= 0 else -2 * delta - 1 for delta in column.deltas)
        content += b"".join(field(3, 0, varint(zigzag)) for zigzag in zigzags)
        out += field(9, 2, content)
    return out


def chunked(batch: ReadingBatch) -> bytes:
    """Encode a batch with its packed floats in chunks of one."""
    rest = ReadingBatch()
    rest.CopyFrom(batch)
    rest.ClearField("sensors")
    out = rest.SerializeToString()
    for column in batch.sensors:
        head = SensorColumn()
        head.CopyFrom(column)
        head.ClearField("values")
        content = head.SerializeToString()
        content += b"".join(field(2, 2, struct.pack("<f", value)) for value in column.values)
        out += field(9, 2, content)
    return out


@given(batches())
def test_unpacked_bodies_are_read_alike(batch: ReadingBatch) -> None:
    """A sender that doesn't pack is understood."""
    body = unpacked(batch)
    assert ReadingBatch.FromString(body) == batch or any(
        math.isnan(value) for column in batch.sensors for value in column.values
    )
    check(body, batch)


@given(batches())
def test_chunked_bodies_are_read_alike(batch: ReadingBatch) -> None:
    """A sender may split a packed field into chunks."""
    check(chunked(batch), batch)


@given(batches(), st.binary(max_size=20))
def test_unknown_fields_are_passed_over(batch: ReadingBatch, content: bytes) -> None:
    """A field from a later version of the protocol doesn't get in the way."""
    check(batch.SerializeToString() + field(1000, 2, content), batch)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Garbage is malformed, never a defect."""
    try:
        shape = inspect(body)
    except BatchMalformed:
        return
    decode_columns(body, shape.start_ms)


@given(batches(), st.data())
def test_damaged_bodies_are_read_or_refused(batch: ReadingBatch, data: st.DataObject) -> None:
    """A body with a damaged byte is refused, or read the way the typed parser reads it."""
    body = bytearray(batch.SerializeToString())
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255))
    try:
        inspect(bytes(body))
    except BatchMalformed:
        return
    typed = ReadingBatch.FromString(bytes(body))
    if typed.HasField("start_unix_ms") and 0 <= typed.start_unix_ms < 2**50:
        check(bytes(body), typed)


def vectors() -> list[Any]:
    """Every golden body."""
    return [pytest.param(path, id=path.stem) for path in sorted(GOLDEN.glob("*.bin"))]


@pytest.mark.parametrize("path", vectors())
def test_golden_bodies_are_read_like_the_typed_parser_reads_them(path: Path) -> None:
    """What was once accepted is accepted forever."""
    body = path.read_bytes()
    typed = ReadingBatch.FromString(body)
    if typed.HasField("start_uptime_ms"):
        typed.start_unix_ms = typed.start_uptime_ms

    check(body, typed)


@pytest.mark.parametrize("path", [p for p in vectors() if "encoder_" in p.id])
def test_golden_bodies_hold_what_was_measured(path: Path) -> None:
    """The decoder returns the encoder's measurements, as exactly as the encoding promises."""
    measured = json.loads(path.with_suffix(".json").read_text())
    body = path.read_bytes()
    columns = decode_columns(body, inspect(body).start_ms)

    for key, column in measured["sensors"].items():
        pairs = zip(measured["times_ms"], column, strict=True)
        wanted = {time: value for time, value in pairs if value is not None}
        series = columns.sensors[key]
        found = dict(zip(series.times_ms.tolist(), series.values.tolist(), strict=True))
        assert found.keys() == wanted.keys()
        single = {time: float(np.float32(value)) for time, value in wanted.items()}
        assert found in (wanted, single)
