"""Load generators: closed loops that keep a fixed number of uploads under way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

UPLOAD = "/dashtrack.device.v1.DeviceLinkHttpService/Upload"
PROTOBUF = "application/x-protobuf"
_LOAD_TIMEOUT_S = 120.0

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
    async with asyncio.timeout(_LOAD_TIMEOUT_S), asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())
    return Run(len(latencies), readings, time.perf_counter() - began, latencies)
