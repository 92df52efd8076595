"""Protobuf timestamps to milliseconds since 1970 and back."""

from google.protobuf.timestamp_pb2 import Timestamp

_NANOS_PER_MS = 1_000_000


def encode_ms(ms: int) -> Timestamp:
    """Write a time."""
    seconds, rest_ms = divmod(ms, 1000)
    return Timestamp(seconds=seconds, nanos=rest_ms * _NANOS_PER_MS)


def decode_ms_up(timestamp: Timestamp) -> int:
    """Read a bound: a part of a millisecond counts as a whole one, since readings have none."""
    return timestamp.seconds * 1000 - (-timestamp.nanos // _NANOS_PER_MS)
