"""Every rule of the batch contract, and what breaking it is answered with."""

from collections.abc import Callable
from typing import Any

import pytest
from dashtrack.device.v1.reading_batch_pb2 import PositionColumn, ReadingBatch, SensorColumn

from services.telemetry.codec.wire import inspect
from services.telemetry.domain.errors import BatchMalformed, BatchTooLarge

NAN = float("nan")


def batch_of(**fields: Any) -> ReadingBatch:
    """A valid batch of two points, changed."""
    usual: dict[str, Any] = {
        "boot_id": 7,
        "start_unix_ms": 1_800_000_000_000,
        "sample_count": 2,
        "step_ms": 1000,
    }
    return ReadingBatch(**(usual | fields))


def sensor(**fields: Any) -> list[SensorColumn]:
    """One column."""
    return [SensorColumn(**({"key": "speed_kmh"} | fields))]


ACCEPTED = {
    "no columns": batch_of(),
    "one point without a step": batch_of(sample_count=1, step_ms=0),
    "offsets alone": batch_of(sample_count=0, step_ms=0, offsets_ms=[0, 5]),
    "offsets with their count": batch_of(offsets_ms=[5, 0]),
    "largest part": batch_of(part=65_535),
    "largest uptime": batch_of(start_uptime_ms=2**53 - 1),
    "floats": batch_of(sensors=sensor(values=[1, NAN])),
    "deltas": batch_of(sensors=sensor(deltas=[1, -1], base=2**52, decimals=9)),
    "masked deltas": batch_of(sensors=sensor(deltas=[1], present=b"\x02")),
    "nothing present": batch_of(sensors=sensor(present=b"\x00")),
    "longest key": batch_of(sensors=sensor(key="a" * 32, values=[1, 2])),
    "64 sensors": batch_of(sensors=[SensorColumn(key=f"s{i}", values=[1, 2]) for i in range(64)]),
    "10,000 readings": batch_of(
        sample_count=2500, sensors=[SensorColumn(key=k, values=[1] * 2500) for k in "abcd"]
    ),
    "positions": batch_of(
        positions=PositionColumn(latitude_e7_deltas=[1, 2], longitude_e7_deltas=[1, 2])
    ),
    "positions out of the world": batch_of(
        positions=PositionColumn(
            latitude_e7_deltas=[2**31 - 1] * 2, longitude_e7_deltas=[-(2**31)] * 2
        )
    ),
}

MALFORMED = {
    "no boot id": batch_of(boot_id=0),
    "part too large": batch_of(part=65_536),
    "no start": ReadingBatch(boot_id=7, sample_count=1),
    "uptime too large": batch_of(start_uptime_ms=2**53),
    "no points": batch_of(sample_count=0),
    "no step": batch_of(step_ms=0),
    "count is not that of the offsets": batch_of(sample_count=3, offsets_ms=[0, 1]),
    "no key": batch_of(sensors=sensor(key="", values=[1, 2])),
    "upper case": batch_of(sensors=sensor(key="Speed", values=[1, 2])),
    "key with a line": batch_of(sensors=sensor(key="speed\n", values=[1, 2])),
    "key too long": batch_of(sensors=sensor(key="a" * 33, values=[1, 2])),
    "sensor twice": batch_of(sensors=sensor(values=[1, 2]) * 2),
    "no values": batch_of(sensors=sensor()),
    "too few values": batch_of(sensors=sensor(values=[1])),
    "too many values": batch_of(sensors=sensor(values=[1, 2, 3])),
    "values and deltas": batch_of(sensors=sensor(values=[1, 2], deltas=[1, 2])),
    "values and a mask": batch_of(sensors=sensor(values=[1, 2], present=b"\x03")),
    "too few deltas": batch_of(sensors=sensor(deltas=[1])),
    "too few masked deltas": batch_of(sensors=sensor(deltas=[1], present=b"\x03")),
    "mask too long": batch_of(sensors=sensor(deltas=[1, 2], present=b"\x03\x00")),
    "mask beyond the axis": batch_of(sensors=sensor(deltas=[1, 2], present=b"\x06")),
    "base too large": batch_of(sensors=sensor(deltas=[1, 2], base=2**52 + 1)),
    "base too small": batch_of(sensors=sensor(deltas=[1, 2], base=-(2**52) - 1)),
    "too many decimals": batch_of(sensors=sensor(deltas=[1, 2], decimals=10)),
    "latitudes alone": batch_of(positions=PositionColumn(latitude_e7_deltas=[1, 2])),
    "too many longitudes": batch_of(
        positions=PositionColumn(
            latitude_e7_deltas=[1], longitude_e7_deltas=[1, 2], present=b"\x01"
        )
    ),
    "empty positions": batch_of(positions=PositionColumn()),
}

TOO_LARGE = {
    "65 sensors": (
        batch_of(sensors=[SensorColumn(key=f"s{i}", values=[1, 2]) for i in range(65)]),
        ("sensors", "64", "65"),
    ),
    "too many points": (batch_of(sample_count=10_001), ("readings", "10000", "10001")),
    "too many offsets": (
        batch_of(sample_count=0, offsets_ms=[1] * 10_001),
        ("readings", "10000", "10001"),
    ),
    "too many readings": (
        batch_of(sample_count=5001, sensors=[SensorColumn(key=k, values=[1] * 5001) for k in "ab"]),
        ("readings", "10000", "10002"),
    ),
    "too many with positions": (
        batch_of(
            sample_count=5001,
            sensors=sensor(values=[1] * 5001),
            positions=PositionColumn(latitude_e7_deltas=[1] * 5001, longitude_e7_deltas=[1] * 5001),
        ),
        ("readings", "10000", "10002"),
    ),
}


@pytest.mark.parametrize("batch", ACCEPTED.values(), ids=ACCEPTED)
def test_whatever_the_contract_allows_is_accepted(batch: ReadingBatch) -> None:
    """At its limits too; strange values are stored, not refused."""
    shape = inspect(batch.SerializeToString())

    assert shape.boot_relative is batch.HasField("start_uptime_ms")


@pytest.mark.parametrize("batch", MALFORMED.values(), ids=MALFORMED)
def test_a_broken_rule_makes_a_batch_malformed(batch: ReadingBatch) -> None:
    """The answer says which, for whoever debugs a board."""
    with pytest.raises(BatchMalformed) as refused:
        inspect(batch.SerializeToString())

    assert refused.value.metadata["detail"]


@pytest.mark.parametrize(("batch", "facts"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_is_too_large_says_what_and_how_much(
    batch: ReadingBatch, facts: tuple[str, str, str]
) -> None:
    """So that the board can split it."""
    with pytest.raises(BatchTooLarge) as refused:
        inspect(batch.SerializeToString())

    metadata = refused.value.metadata
    assert (metadata["what"], metadata["limit"], metadata["actual"]) == facts


TRUNCATIONS: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda body: body[:-1],
    "doubled": lambda body: body + body,
    "with garbage behind": lambda body: body + b"\xff",
    "not protobuf": lambda _: b"GET / HTTP/1.1",
}


@pytest.mark.parametrize("damage", TRUNCATIONS.values(), ids=TRUNCATIONS)
def test_damaged_bodies_are_malformed(damage: Callable[[bytes], bytes]) -> None:
    """Whatever happened to them on the way."""
    body = batch_of(sensors=sensor(values=[1, 2])).SerializeToString()

    with pytest.raises(BatchMalformed):
        inspect(damage(body))


def test_a_varint_that_is_cut_off_within_its_column_is_malformed() -> None:
    """The last delta has its continuation bit set and nothing behind it."""
    body = batch_of(sensors=sensor(deltas=[300, 300])).SerializeToString()
    place = body.index(b"\xd8\x04\xd8\x04")

    with pytest.raises(BatchMalformed):
        inspect(body[: place + 3] + b"\x84" + body[place + 4 :])
