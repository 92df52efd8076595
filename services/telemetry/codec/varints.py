"""Packed varints and floats: counted without decoding, decoded without a loop."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

_IS_CONTINUED = bytes(byte >> 7 for byte in range(256))
# The shortest encoding of 32 bits has four continued bytes at most.
_OVERLONG = b"\x01" * 5
_FLOAT_SIZE_BYTES = 4


class UncommonEncodingError(Exception):
    """The bytes are not what an encoder of packed 32-bit fields writes: ask the typed parser."""


def packed_varint_count(chunks: Iterable[bytes]) -> int:
    """Count the 32-bit varints in the chunks of a packed field.

    Raises:
        UncommonEncodingError: a chunk is cut short or holds an overlong varint.
    """
    count = 0
    for chunk in chunks:
        flags = chunk.translate(_IS_CONTINUED)
        if flags.endswith(b"\x01") or _OVERLONG in flags:
            raise UncommonEncodingError
        count += flags.count(0)
    return count


def joined_varints(chunks: Sequence[bytes]) -> bytes:
    """Join the chunks of a packed field of 32-bit varints.

    Raises:
        UncommonEncodingError: a chunk is cut short or holds an overlong varint.
    """
    packed_varint_count(chunks)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def joined_floats(chunks: Sequence[bytes]) -> bytes:
    """Join the chunks of a packed field of floats.

    Raises:
        UncommonEncodingError: a chunk is cut short.
    """
    for chunk in chunks:
        if len(chunk) % _FLOAT_SIZE_BYTES:
            raise UncommonEncodingError
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def float_count(packed: bytes) -> int:
    """Count the floats."""
    return len(packed) // _FLOAT_SIZE_BYTES


def decoded_floats(packed: bytes) -> npt.NDArray[np.float64]:
    """Decode little-endian 32-bit floats."""
    # Widening a signalling NaN is "invalid" to the processor, and a missing value to us.
    with np.errstate(invalid="ignore"):
        return np.frombuffer(packed, "<f4").astype(np.float64)


def decoded_uint32(packed: bytes) -> npt.NDArray[np.int64]:
    """Decode varints of unsigned 32-bit integers."""
    raw = np.frombuffer(packed, np.uint8)
    last = raw < 0x80
    ends = np.flatnonzero(last)
    if len(ends) == len(raw):
        return raw.astype(np.int64)
    starts = np.empty_like(ends)
    starts[0] = 0
    starts[1:] = ends[:-1] + 1
    place = np.arange(len(raw)) - np.repeat(starts, ends - starts + 1)
    bits = (raw & 0x7F).astype(np.int64) << (7 * place)
    # A fifth byte may carry bits above the 32nd, which the typed parser drops.
    return np.add.reduceat(bits, starts) & 0xFFFF_FFFF


def decoded_sint32(packed: bytes) -> npt.NDArray[np.int64]:
    """Decode zigzag varints of signed 32-bit integers."""
    zigzag = decoded_uint32(packed)
    return (zigzag >> 1) ^ -(zigzag & 1)
