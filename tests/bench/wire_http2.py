"""A load generator that costs next to nothing: gRPC calls as HTTP/2 frames made beforehand.

Header blocks use no dynamic table and no Huffman code, so that they are the same bytes for each
call of a board. Answers are not decoded: a stream that carried data before it ended was answered
with a message, one that did not with an error (RFC 9113 section 6, the gRPC over HTTP/2 document).
"""

import asyncio
import random
import struct
from typing import Self

from google.api import httpbody_pb2

from tests.bench.loads import PROTOBUF, UPLOAD, Parcel

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_FRAME_HEAD_BYTES = 9
_CREDIT_BYTES = 2**30
_INITIAL_WINDOW_BYTES = 65_535
_TRACED_RATIO = 0.01


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _integer(value: int, prefix_bits: int) -> bytes:
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes([value])
    encoded, value = bytearray([limit]), value - limit
    while value >= 128:
        encoded.append(value % 128 + 128)
        value //= 128
    return bytes([*encoded, value])


def _field(name: str, value: str) -> bytes:
    parts = b"".join(_integer(len(text), 7) + text.encode() for text in (name, value))
    return b"\x00" + parts


def _trace_field() -> bytes:
    """Decide about tracing as the gateway does: one in a hundred."""
    sampled = "01" if random.random() < _TRACED_RATIO else "00"
    trace, span = random.getrandbits(128) | 1, random.getrandbits(64) | 1
    return _field("traceparent", f"00-{trace:032x}-{span:016x}-{sampled}")


class Http2Uploads:
    """Uploads over one connection, straight to a gRPC server."""

    def __init__(self, port: int) -> None:
        """Upload to a server on loopback."""
        self._port = port
        self._heads: dict[str, bytes] = {}
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._has_data: set[int] = set()
        self._next_stream = 1
        self._window_bytes = _INITIAL_WINDOW_BYTES
        self._window_grew = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        credit = struct.pack(">I", _CREDIT_BYTES)
        self._writer.write(
            _PREFACE + _frame(_SETTINGS, 0, 0, b"") + _frame(_WINDOW_UPDATE, 0, 0, credit)
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        self._writer.close()

    async def send(self, parcel: Parcel) -> None:
        """Upload a batch and wait for its acknowledgement."""
        body = httpbody_pb2.HttpBody(content_type=PROTOBUF, data=parcel.body).SerializeToString()
        message = struct.pack(">BI", 0, len(body)) + body
        while self._window_bytes < len(message):
            self._window_grew.clear()
            await self._window_grew.wait()
        self._window_bytes -= len(message)
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        answered = self._waiting[stream] = asyncio.get_running_loop().create_future()
        self._writer.write(
            _frame(_HEADERS, _END_HEADERS, stream, self._head(parcel.token) + _trace_field())
            + _frame(_DATA, _END_STREAM, stream, message)
        )
        await answered

    def _head(self, token: str) -> bytes:
        head = self._heads.get(token)
        if head is None:
            fields = {
                ":method": "POST",
                ":scheme": "http",
                ":path": UPLOAD,
                ":authority": f"127.0.0.1:{self._port}",
                "te": "trailers",
                "content-type": "application/grpc",
                "authorization": f"Bearer {token}",
            }
            head = self._heads[token] = b"".join(_field(*pair) for pair in fields.items())
        return head

    async def _read(self) -> None:
        received = b""
        while chunk := await self._reader.read(262_144):
            received += chunk
            at = 0
            while len(received) - at >= _FRAME_HEAD_BYTES:
                length = int.from_bytes(received[at : at + 3], "big")
                end = at + _FRAME_HEAD_BYTES + length
                if end > len(received):
                    break
                self._take(received[at : at + _FRAME_HEAD_BYTES], received[end - length : end])
                at = end
            received = received[at:]

    def _take(self, head: bytes, payload: bytes) -> None:
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        if kind == _DATA:
            self._has_data.add(stream)
        elif kind == _WINDOW_UPDATE and stream == 0:
            self._window_bytes += int.from_bytes(payload, "big")
            self._window_grew.set()
        elif kind in {_SETTINGS, _PING} and not flags & _ACK:
            self._writer.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind == _GOAWAY:
            self._end_all(payload)
        if kind in {_DATA, _HEADERS} and flags & _END_STREAM:
            self._end(stream)

    def _end(self, stream: int) -> None:
        answered = self._waiting.pop(stream)
        if stream in self._has_data:
            self._has_data.remove(stream)
            answered.set_result(None)
        else:
            answered.set_exception(RuntimeError("a call was answered with an error"))

    def _end_all(self, reason: bytes) -> None:
        for answered in self._waiting.values():
            answered.set_exception(ConnectionError(f"the server went away: {reason!r}"))
        self._waiting.clear()
