"""Reads an encoded batch back into columns: a board that must split one has only its bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from dashtrack.device.v1 import reading_batch_pb2

from devices.simulator.samples import Flags, Floats, Integers, Positions, Samples
from devices.simulator.wire import BatchKey, TimeBase


@dataclass(frozen=True, slots=True, eq=False)
class DecodedBatch:
    """What an encoded batch says."""

    key: BatchKey
    time_base: TimeBase
    samples: Samples
    dropped_readings: int


def decode_batch(body: bytes) -> DecodedBatch:
    """Return what an encoded batch says."""
    message = reading_batch_pb2.ReadingBatch.FromString(body)
    times_ms = _times(message)
    count = times_ms.size
    sensors = {sensor.key: _values(sensor, count) for sensor in message.sensors}
    positions = _positions(message.positions, count) if message.HasField("positions") else None
    return DecodedBatch(
        key=BatchKey(message.boot_id, message.seq, message.part),
        time_base=TimeBase.UPTIME if message.HasField("start_uptime_ms") else TimeBase.UNIX,
        samples=Samples(times_ms, sensors, positions),
        dropped_readings=message.dropped_readings,
    )


def _times(message: reading_batch_pb2.ReadingBatch) -> Integers:
    start = message.start_uptime_ms or message.start_unix_ms
    if message.offsets_ms:
        return start + np.cumsum(np.array(message.offsets_ms, np.int64))
    return start + message.step_ms * np.arange(message.sample_count, dtype=np.int64)


def _values(sensor: reading_batch_pb2.SensorColumn, count: int) -> Floats:
    if sensor.values:
        return np.array(sensor.values, np.float64)
    values = np.full(count, np.nan)
    integers = sensor.base + _running_sum(sensor.deltas)
    values[_present(sensor.present, count)] = integers / 10.0**sensor.decimals
    return values


def _positions(column: reading_batch_pb2.PositionColumn, count: int) -> Positions:
    present = _present(column.present, count)
    latitude_e7, longitude_e7 = np.zeros(count, np.int64), np.zeros(count, np.int64)
    latitude_e7[present] = _running_sum(column.latitude_e7_deltas)
    longitude_e7[present] = _running_sum(column.longitude_e7_deltas)
    return Positions(latitude_e7, longitude_e7, present)


def _running_sum(deltas: Sequence[int]) -> Integers:
    return np.cumsum(np.array(deltas, np.int64))


def _present(mask: bytes, count: int) -> Flags:
    if not mask:
        return np.ones(count, np.bool_)
    bits = np.unpackbits(np.frombuffer(mask, np.uint8), count=count, bitorder="little")
    return bits.astype(np.bool_)
