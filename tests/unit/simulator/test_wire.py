"""What the encoder writes is what protobuf would write, and says what was measured."""

import numpy as np
import pytest
from dashtrack.device.v1 import reading_batch_pb2
from hypothesis import given
from hypothesis import strategies as st

from devices.simulator.decode import decode_batch
from devices.simulator.samples import Floats, Positions, Samples
from devices.simulator.varints import packed_varints, packed_zigzag_varints, varint, zigzag
from devices.simulator.wire import BatchKey, Encoding, NotEncodable, TimeBase, encode_batch
from tests.unit.simulator.strategies import boot_ids, samples

KEY = BatchKey(boot_id=0x0123456789ABCDEF, seq=7)


def axis(*times_ms: int) -> Samples:
    """Samples without columns."""
    return Samples(np.array(times_ms, np.int64), {})


def one_sensor(values: list[float], encoding: Encoding) -> reading_batch_pb2.SensorColumn:
    """Encode values and return the column as protobuf reads it."""
    column = np.array(values, np.float64)
    body = encode_batch(
        KEY, Samples(np.arange(column.size, dtype=np.int64), {"x": column}), encoding=encoding
    )
    (sensor,) = reading_batch_pb2.ReadingBatch.FromString(body).sensors
    return sensor


def as_floats(values: Floats) -> Floats:
    """Values after a stay in 32 bits."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32).astype(np.float64)


@given(
    st.builds(BatchKey, boot_ids, st.integers(0, (1 << 32) - 1), st.integers(0, 65_535)),
    samples(),
    st.sampled_from(TimeBase),
    st.sampled_from(Encoding),
    st.integers(0, (1 << 32) - 1),
)
def test_any_batch_has_the_bytes_that_protobuf_writes_and_reads_back(
    key: BatchKey, measured: Samples, time_base: TimeBase, encoding: Encoding, dropped: int
) -> None:
    """The typed message re-encodes to the same bytes, and holds what was measured."""
    body = encode_batch(
        key, measured, time_base=time_base, encoding=encoding, dropped_readings=dropped
    )

    message = reading_batch_pb2.ReadingBatch.FromString(body)
    assert message.SerializeToString(deterministic=True) == body
    decoded = decode_batch(body)
    assert (decoded.key, decoded.time_base, decoded.dropped_readings) == (key, time_base, dropped)
    np.testing.assert_array_equal(decoded.samples.times_ms, measured.times_ms)
    for name, values in measured.sensors.items():
        if np.isnan(values).all():
            assert name not in decoded.samples.sensors
            continue
        sensor = next(sensor for sensor in message.sensors if sensor.key == name)
        promised = as_floats(values) if sensor.values else values
        np.testing.assert_array_equal(decoded.samples.sensors[name], promised)
    if measured.positions is not None and measured.positions.present.any():
        found, sent = decoded.samples.positions, measured.positions
        assert found is not None
        np.testing.assert_array_equal(found.present, sent.present)
        for ours, theirs in (
            (found.latitude_e7, sent.latitude_e7),
            (found.longitude_e7, sent.longitude_e7),
        ):
            np.testing.assert_array_equal(ours[sent.present], theirs[sent.present])


@given(samples(), st.sampled_from(Encoding))
def test_the_same_samples_always_give_the_same_bytes(measured: Samples, encoding: Encoding) -> None:
    """Encoding has no hidden state."""
    assert encode_batch(KEY, measured, encoding=encoding) == encode_batch(
        KEY, measured, encoding=encoding
    )


@given(samples())
def test_the_smallest_encoding_is_never_larger_than_the_others(measured: Samples) -> None:
    """It decides column by column, so it wins or ties as a whole."""
    sizes = {encoding: len(encode_batch(KEY, measured, encoding=encoding)) for encoding in Encoding}
    assert sizes[Encoding.SMALLEST] <= min(sizes.values())


@given(st.lists(st.integers(-(1 << 62), (1 << 62) - 1), max_size=30))
def test_columns_of_varints_equal_varints_one_by_one(values: list[int]) -> None:
    """The vectorised writer agrees with the plain one."""
    column = np.array(values, np.int64)
    assert packed_varints(np.abs(column)) == b"".join(varint(abs(value)) for value in values)
    assert packed_zigzag_varints(column) == b"".join(varint(zigzag(value)) for value in values)


def test_an_even_axis_is_a_step_and_an_uneven_one_offsets() -> None:
    """The axis takes the smaller of its two forms that says the truth."""
    even, uneven, single = (
        reading_batch_pb2.ReadingBatch.FromString(encode_batch(KEY, measured))
        for measured in (axis(1000, 1500, 2000), axis(1000, 1500, 2100), axis(1000))
    )
    assert (even.sample_count, even.step_ms, list(even.offsets_ms)) == (3, 500, [])
    assert (uneven.sample_count, uneven.step_ms, list(uneven.offsets_ms)) == (0, 0, [0, 500, 600])
    assert (single.sample_count, single.step_ms, list(single.offsets_ms)) == (1, 0, [])


def test_a_counter_that_a_float_would_ruin_is_kept_exactly() -> None:
    """Scaled values are exact where 32-bit floats end."""
    counter = [16_777_216.0, 16_777_217.0, 16_777_219.0]
    sensor = one_sensor(counter, Encoding.SMALLEST)
    assert list(sensor.deltas) == [16_777_216, 1, 2]
    assert not sensor.values


def test_a_value_beyond_32_bits_starts_from_a_base() -> None:
    """The base takes what the first delta can't hold."""
    sensor = one_sensor([5e9, 5e9 + 1], Encoding.SCALED)
    assert (sensor.base, list(sensor.deltas), sensor.decimals) == (5_000_000_000, [0, 1], 0)


def test_values_without_a_short_decimal_are_floats_even_if_scaled_is_wanted() -> None:
    """An encoding that would change values is never chosen."""
    sensor = one_sensor([1 / 3, float("inf")], Encoding.SCALED)
    assert list(sensor.values) == [np.float32(1 / 3), float("inf")]


def test_missing_values_are_nan_in_floats_and_a_mask_in_scaled_values() -> None:
    """Each encoding says absence in its own way."""
    values = [1.5, float("nan"), 2.5]
    floats, scaled = (
        one_sensor(values, encoding) for encoding in (Encoding.FLOAT, Encoding.SCALED)
    )
    assert np.isnan(floats.values[1])
    assert not floats.present
    assert (list(scaled.deltas), scaled.decimals, scaled.present) == ([15, 10], 1, b"\x05")


def test_a_sensor_without_any_value_is_left_out() -> None:
    """A column of nothing is not worth its key."""
    nothing = Samples(np.array([5], np.int64), {"x": np.array([np.nan])})
    assert not reading_batch_pb2.ReadingBatch.FromString(encode_batch(KEY, nothing)).sensors


def test_a_start_of_zero_is_there() -> None:
    """The start is a choice between two clocks, so its default can't be left out."""
    body = encode_batch(KEY, axis(0), time_base=TimeBase.UPTIME)
    assert reading_batch_pb2.ReadingBatch.FromString(body).HasField("start_uptime_ms")


@pytest.mark.parametrize(
    "unfit",
    [
        axis(),
        axis(*range(10_001)),
        axis(5, 5),
        axis(5, 4),
        axis(0, 1 << 32),
        Samples(np.array([1], np.int64), {f"s{index}": np.zeros(1) for index in range(65)}),
        Samples(np.array([1], np.int64), {"Speed": np.zeros(1)}),
        Samples(
            np.array([1, 2], np.int64),
            {},
            Positions.from_degrees(np.zeros(2), np.array([-179.9, 179.9])),
        ),
    ],
    ids=["empty", "long", "equal times", "backwards", "gap", "sensors", "key", "antimeridian"],
)
def test_samples_that_no_batch_can_hold_are_refused(unfit: Samples) -> None:
    """Whoever makes batches learns of a limit before the server does."""
    with pytest.raises(NotEncodable):
        encode_batch(KEY, unfit)


def test_columns_of_different_length_are_no_samples() -> None:
    """A slot for each point is an invariant."""
    with pytest.raises(ValueError, match="columns of"):
        Samples(np.array([1, 2], np.int64), {"x": np.zeros(3)})
