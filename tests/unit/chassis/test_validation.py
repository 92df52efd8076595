"""Times in requests are times."""

import protovalidate
import pytest
from dashtrack.telemetry.v1.reading_service_pb2 import ListReadingsRequest
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.errors import InvalidArgument
from services.chassis.rpc.validation import require_valid

DEVICE = "00000000-0000-7000-8000-000000000001"
VALIDATOR = protovalidate.Validator()


def asked(seconds: int, nanos: int) -> ListReadingsRequest:
    """Make a request about a stretch that ends at some time."""
    end_time = Timestamp(seconds=seconds, nanos=nanos)
    return ListReadingsRequest(device_id=DEVICE, sensor="speed", end_time=end_time)


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [
        (2**63 - 1, 0),
        (-(2**63), 0),
        (-62_135_596_801, 0),
        (253_402_300_800, 0),
        (0, -1),
        (0, 1_000_000_000),
    ],
)
def test_what_no_calendar_has_is_refused(seconds: int, nanos: int) -> None:
    """The field is named, and no conversion further in meets it."""
    with pytest.raises(InvalidArgument) as raised:
        require_valid(VALIDATOR, asked(seconds, nanos))

    (violation,) = raised.value.violations
    assert violation.field == "end_time"


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(0, 0), (-62_135_596_800, 0), (253_402_300_799, 999_999_999)]
)
def test_the_first_and_the_last_time_are_times(seconds: int, nanos: int) -> None:
    """The bounds are within the bounds."""
    require_valid(VALIDATOR, asked(seconds, nanos))
