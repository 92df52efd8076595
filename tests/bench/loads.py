"""Load generators: closed loops that keep a fixed number of uploads under way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import grpc.aio
from google.api import httpbody_pb2

UPLOAD = "/dashtrack.device.v1.DeviceLinkHttpService/Upload"
PROTOBUF = "application/x-protobuf"

Send = Callable[["Parcel"], Awaitable[None]]


@dataclass(frozen=True)
class Parcel:
    """One upload, encoded beforehand so that encoding is not measured."""

    token: str
    body: bytes
    readings: int


@dataclass(frozen=True)
class Run:
    """What a closed loop took."""

    uploads: int
    readings: int
    seconds: float
    latencies_s: Sequence[float]

    @property
    def uploads_per_s(self) -> float:
        """Uploads that were acknowledged in a second."""
        return self.uploads / self.seconds

    @property
    def readings_per_s(self) -> float:
        """Readings that were acknowledged in a second."""
        return self.readings / self.seconds

    def latency_ms(self, quantile: float) -> float:
        """Return a quantile of the acknowledgement's latency, in milliseconds."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] * 1000


async def closed_loop(send: Send, parcels: Iterable[Parcel], *, concurrency: int = 64) -> Run:
    """Send every parcel, `concurrency` at a time."""
    pending = iter(parcels)
    latencies: list[float] = []
    readings = 0

    async def worker() -> None:
        nonlocal readings
        for parcel in pending:
            began = time.perf_counter()
            await send(parcel)
            latencies.append(time.perf_counter() - began)
            readings += parcel.readings

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())
    return Run(len(latencies), readings, time.perf_counter() - began, latencies)


class GrpcUploads:
    """Uploads over one HTTP/2 connection, straight to a gRPC server."""

    def __init__(self, port: int) -> None:
        """Connect to a server on loopback."""
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._call: Any = self._channel.unary_unary(
            UPLOAD,
            request_serializer=httpbody_pb2.HttpBody.SerializeToString,
            response_deserializer=None,
        )

    async def send(self, parcel: Parcel) -> None:
        """Upload a batch and wait for its acknowledgement."""
        await self._call(
            httpbody_pb2.HttpBody(content_type=PROTOBUF, data=parcel.body),
            metadata=(("authorization", f"Bearer {parcel.token}"),),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()


class HttpUploads:
    """Uploads over HTTP/1.1 with kept connections, as boards send them."""

    def __init__(self, port: int, content_type: str) -> None:
        """Open a session with as many connections as there are senders."""
        self._url = f"http://127.0.0.1:{port}/v1/telemetry"
        self._content_type = content_type
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def send(self, parcel: Parcel) -> None:
        """Upload a batch and wait for its acknowledgement."""
        headers = {"authorization": f"Bearer {parcel.token}", "content-type": self._content_type}
        async with self._session.post(self._url, data=parcel.body, headers=headers) as response:
            answer = await response.read()
            if response.status != 200:
                message = f"HTTP {response.status}: {answer[:200]!r}"
                raise RuntimeError(message)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
