"""What reading needs: history, the newest values, and the log that watchers follow."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.telemetry.domain.columns import Columns, Grid
from services.telemetry.domain.devices import Device
from services.telemetry.domain.latest import Latest


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a range as it comes out of the store."""

    grid: Grid
    complete_until_ms: int
    """Whatever comes later is not before this time."""
    batch_count: int


class History(Protocol):
    """Stored readings by time; each read is of one moment."""

    def series(
        self, device: Device, sensor: str, start_ms: int, end_ms: int
    ) -> AsyncGenerator[Chunk, None]:
        """Read one sensor: rows are (value,)."""

    def track(self, device: Device, start_ms: int, end_ms: int) -> AsyncGenerator[Chunk, None]:
        """Read the positions: rows are (latitude, longitude), both times 10^7."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class CommittedBatch:
    """A batch that watchers are told of; all of them get the same object."""

    device_id: uuid.UUID
    columns: Columns


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What one flush committed for one company."""

    position: int
    batches: Sequence[CommittedBatch]


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries in the order of the log, and where to go on."""

    entries: Sequence[LogEntry]
    next_position: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest values at one moment, and how to go on from it without gap or double."""

    latest: Mapping[uuid.UUID, Latest]
    position: int
    """Every entry before this one is in the snapshot."""
    included: Collection[int]
    """Entries at or after `position` that are in the snapshot as well."""


class LatestReader(Protocol):
    """The newest values, whatever was acknowledged before included."""

    async def of_device(self, device: Device) -> Latest:
        """Return the newest of one device."""

    async def snapshot(self, company_id: uuid.UUID, device_id: uuid.UUID | None) -> Snapshot:
        """Return the newest of a company's devices, or of one, with the log's position."""


class CommitLog(Protocol):
    """The log of one company after the other, in an order that never changes afterwards."""

    async def position(self) -> int:
        """Return where an entry that nobody has seen yet would stand at the earliest."""

    async def read(self, company_id: uuid.UUID, position: int) -> LogPage:
        """Return the entries from a position that no earlier entry can come before any more."""


class LatestFolder(Protocol):
    """Folds the log into the newest values: effect and cursor in one transaction."""

    async def fold(self) -> bool:
        """Fold some entries; False if none are left, or another replica is at it."""

    async def prune(self, before: datetime) -> None:
        """Delete entries that every consumer has passed and that were committed before."""


@dataclass(slots=True)
class CommitHint:
    """What has been heard of a company's commits."""

    heard: asyncio.Event
    position: int = 0
    """The newest position that was announced."""


class CommitSignal(Protocol):
    """Hears, if nothing gets lost, of every commit."""

    def listen(self, company_id: uuid.UUID) -> AbstractAsyncContextManager[CommitHint]:
        """Listen to a company's commits for the length of a block."""
