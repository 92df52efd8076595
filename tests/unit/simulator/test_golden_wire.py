"""Bytes that the encoder once wrote, it writes for ever.

Each `tests/golden/wire/encoder_*.json` says what was measured; the `.bin` beside it is the batch.
A case without its `.bin` gets one and fails once, so that somebody looks at it.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from dashtrack.device.v1 import reading_batch_pb2

from devices.simulator.samples import Positions, Samples
from devices.simulator.wire import BatchKey, Encoding, TimeBase, encode_batch

GOLDEN = Path(__file__).parents[2] / "golden" / "wire"
CASES = sorted(GOLDEN.glob("encoder_*.json"))


def encoded(case: Path) -> bytes:
    """Encode what a case describes."""
    content = json.loads(case.read_text())
    fixes = content.get("positions_e7")
    positions = None
    if fixes is not None:
        latitudes, longitudes = zip(*((fix or [0, 0]) for fix in fixes), strict=True)
        positions = Positions(
            np.array(latitudes, np.int64),
            np.array(longitudes, np.int64),
            np.array([fix is not None for fix in fixes], np.bool_),
        )
    # JSON has no NaN: null is a missing value, and becomes NaN as a double.
    sensors = {key: np.array(values, np.float64) for key, values in content["sensors"].items()}
    return encode_batch(
        BatchKey(int(content["boot_id"], 16), content["seq"], content["part"]),
        Samples(np.array(content["times_ms"], np.int64), sensors, positions),
        time_base=TimeBase(content["time_base"]),
        encoding=Encoding(content["encoding"]),
        dropped_readings=content["dropped_readings"],
    )


def test_there_are_golden_batches() -> None:
    """A moved folder doesn't pass for an empty one."""
    assert len(CASES) >= 6


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_a_golden_batch_is_encoded_as_ever(case: Path) -> None:
    """The bytes are those of the file, and protobuf's own."""
    body = encoded(case)
    expected = case.with_suffix(".bin")
    if not expected.exists():
        expected.write_bytes(body)
        pytest.fail(f"{expected.name} is new: look at it and commit it")
    assert body == expected.read_bytes()
    message = reading_batch_pb2.ReadingBatch.FromString(body)
    assert message.SerializeToString(deterministic=True) == body
