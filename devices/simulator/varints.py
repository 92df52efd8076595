"""Protobuf's variable-length integers, written for whole columns at once."""

import numpy as np
from numpy.typing import NDArray

from devices.simulator.samples import Integers

_PAYLOAD_BITS = 7
_CONTINUATION = 0x80
_VARINT_BYTES_MAX = 10
_WORD = (1 << 64) - 1


def varint(value: int) -> bytes:
    """Return one varint; a negative number takes ten bytes, as int32 and int64 do."""
    rest = value & _WORD
    encoded = bytearray()
    while rest >= _CONTINUATION:
        encoded.append(rest & (_CONTINUATION - 1) | _CONTINUATION)
        rest >>= _PAYLOAD_BITS
    encoded.append(rest)
    return bytes(encoded)


def zigzag(value: int) -> int:
    """Return the unsigned number that stands for a signed one in sint32 and sint64."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def packed_varints(values: Integers) -> bytes:
    """Return non-negative numbers as the varints of one packed field."""
    return _packed(values.astype(np.uint64))


def packed_zigzag_varints(values: Integers) -> bytes:
    """Return signed numbers as the zigzag varints of one packed field."""
    return _packed(((values << 1) ^ (values >> 63)).astype(np.uint64))


def _packed(values: NDArray[np.uint64]) -> bytes:
    if values.size == 0:
        return b""
    sizes = np.ones(values.size, np.int64)
    for more in range(1, _VARINT_BYTES_MAX):
        longer = values >= np.uint64(1 << (_PAYLOAD_BITS * more))
        if not longer.any():
            break
        sizes += longer
    ends = np.cumsum(sizes)
    starts = ends - sizes
    encoded = np.empty(int(ends[-1]), np.uint8)
    for index in range(int(sizes.max())):
        has_byte = sizes > index
        low = (values[has_byte] >> np.uint64(_PAYLOAD_BITS * index)).astype(np.uint8)
        continues = sizes[has_byte] > index + 1
        encoded[starts[has_byte] + index] = (low & 0x7F) | (continues * np.uint8(_CONTINUATION))
    return encoded.tobytes()
