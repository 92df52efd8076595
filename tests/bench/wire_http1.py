"""A load generator that costs next to nothing: HTTP/1.1 requests made beforehand, raw sockets."""

import abc
import asyncio
from collections import deque
from typing import Self

from tests.bench.loads import Parcel

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"


class _Connection(asyncio.Protocol):
    """One request at a time; the answer's head is only searched for its length and status."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answered: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(_END_OF_HEAD)
        if not found or self._answered is None:
            return
        lower = head.lower()
        at = lower.find(_LENGTH)
        length = int(lower[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) >= length:
            self._received = b""
            self._answered.set_result(head)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError())

    async def exchange(self, request: bytes) -> bytes:
        """Send a request; return the head of its answer."""
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


class _Http1Calls(abc.ABC):
    """Calls over kept HTTP/1.1 connections."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: deque[_Connection] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._idle:
            connection.close()

    async def send(self, parcel: Parcel) -> None:
        """Send a request and wait for its answer."""
        connection = self._idle.pop() if self._idle else await self._connect()
        head = await connection.exchange(self._request(parcel))
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode(errors="replace"))
        self._idle.append(connection)

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
        return connection

    @abc.abstractmethod
    def _request(self, parcel: Parcel) -> bytes:
        """Write the request that a parcel is sent with."""


class Http1Uploads(_Http1Calls):
    """Uploads, as boards send them."""

    def __init__(self, port: int, content_type: str) -> None:
        """Upload to a server on loopback."""
        super().__init__(port)
        self._content_type = content_type

    def _request(self, parcel: Parcel) -> bytes:
        head = (
            "POST /v1/telemetry HTTP/1.1\r\n"
            f"host: 127.0.0.1:{self._port}\r\n"
            f"authorization: Bearer {parcel.token}\r\n"
            f"content-type: {self._content_type}\r\n"
            f"content-length: {len(parcel.body)}\r\n\r\n"
        )
        return head.encode() + parcel.body


class Http1Reads(_Http1Calls):
    """Reads of one thing, as whoever's token it is."""

    def __init__(self, port: int, path: str) -> None:
        """Read from a server on loopback."""
        super().__init__(port)
        self._path = path

    def _request(self, parcel: Parcel) -> bytes:
        head = (
            f"GET {self._path} HTTP/1.1\r\n"
            f"host: 127.0.0.1:{self._port}\r\n"
            f"authorization: Bearer {parcel.token}\r\n\r\n"
        )
        return head.encode()
