"""Stored bodies to columns, with numpy."""

import math
import struct

import numpy as np
import numpy.typing as npt
from dashtrack.device.internal.v1.reading_batch_view_pb2 import ReadingBatchView, SensorColumnView

from services.telemetry.codec.varints import (
    decoded_floats,
    decoded_sint32,
    decoded_uint32,
    joined_floats,
    joined_varints,
)
from services.telemetry.codec.wire import read_view
from services.telemetry.domain.columns import Columns, Series, Times, Track, present_only
from services.telemetry.domain.latest import NO_VALUE, Fix, Latest, Newest

_LAST_FLOAT = struct.Struct("<f")
_NOWHERE = Track(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))


def decode_columns(body: bytes, t0_ms: int) -> Columns:
    """Decode everything that a stored body holds."""

    def read(view: ReadingBatchView) -> Columns:
        times_ms = _times(view, t0_ms)
        sensors = {column.key: _series(column, times_ms) for column in view.sensors}
        return Columns(sensors, _track(view, times_ms))

    return read_view(body, read)


def decode_series(body: bytes, t0_ms: int, sensor: str) -> Series | None:
    """Decode one sensor of a stored body; None if the body doesn't have it."""

    def read(view: ReadingBatchView) -> Series | None:
        for column in view.sensors:
            if column.key == sensor:
                return _series(column, _times(view, t0_ms))
        return None

    return read_view(body, read)


def decode_track(body: bytes, t0_ms: int) -> Track:
    """Decode the positions of a stored body."""
    return read_view(body, lambda view: _track(view, _times(view, t0_ms)))


def _times(view: ReadingBatchView, t0_ms: int) -> Times:
    offsets = joined_varints(view.offsets_ms)
    if offsets:
        return t0_ms + np.cumsum(decoded_uint32(offsets))
    return t0_ms + view.step_ms * np.arange(view.sample_count, dtype=np.int64)


def _series(column: SensorColumnView, times_ms: Times) -> Series:
    floats = joined_floats(column.values)
    if floats:
        return present_only(times_ms, decoded_floats(floats))
    scaled = column.base + np.cumsum(decoded_sint32(joined_varints(column.deltas)))
    # Dividing by a power of ten rounds once; multiplying by its inverse would round twice.
    values = scaled / 10**column.decimals
    return Series(times_ms[_presence(column.present, len(times_ms))], values)


def _track(view: ReadingBatchView, times_ms: Times) -> Track:
    if not view.HasField("positions"):
        return _NOWHERE
    column = view.positions
    return Track(
        times_ms[_presence(column.present, len(times_ms))],
        np.cumsum(decoded_sint32(joined_varints(column.latitude_e7_deltas))),
        np.cumsum(decoded_sint32(joined_varints(column.longitude_e7_deltas))),
    )


def _presence(mask: bytes, points: int) -> npt.NDArray[np.bool_] | slice:
    if not mask:
        return slice(None)
    bits = np.unpackbits(np.frombuffer(mask, np.uint8), count=points, bitorder="little")
    return bits.astype(np.bool_)


def decode_newest(body: bytes, t0_ms: int) -> Latest:
    """Decode only the newest value of each sensor and the newest position of a stored body."""
    return read_view(body, lambda view: _newest(view, t0_ms))


def _newest(view: ReadingBatchView, t0_ms: int) -> Latest:
    times_ms: Times | None = None
    latest = Latest()
    for column in view.sensors:
        chunks = column.values
        if not view.offsets_ms and len(chunks) == 1 and len(chunks[0]) == 4 * view.sample_count:
            # The usual case, without touching the values before the last.
            (value,) = _LAST_FLOAT.unpack_from(chunks[0], len(chunks[0]) - _LAST_FLOAT.size)
            if not math.isnan(value):
                time_ms = t0_ms + view.step_ms * (view.sample_count - 1)
                latest.sensors[column.key] = Newest(time_ms, value)
                continue
        if times_ms is None:
            times_ms = _times(view, t0_ms)
        series = _series(column, times_ms)
        latest.sensors[column.key] = (
            Newest(int(series.times_ms[-1]), float(series.values[-1]))
            if len(series)
            else Newest(t0_ms, NO_VALUE)
        )
    if view.HasField("positions"):
        track = _track(view, _times(view, t0_ms) if times_ms is None else times_ms)
        if len(track):
            latest.fix = Fix(
                int(track.times_ms[-1]),
                int(track.latitudes_e7[-1]),
                int(track.longitudes_e7[-1]),
            )
    return latest
