"""What the write path needs."""

import uuid
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from services.telemetry.domain.batches import BatchShape, NewBatch, Verdict
from services.telemetry.domain.companies import CompanyStanding


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """What is known of a device, and of its company."""

    company_id: uuid.UUID
    disabled: bool = False
    span_bound_ms: int = 0
    sensors: frozenset[str] = frozenset()
    standing: CompanyStanding | None = None
    """None if nothing has been told of the company."""


class FactsSource(Protocol):
    """Where the facts about devices are kept."""

    async def find(self, device_id: uuid.UUID) -> KnownDevice | None:
        """Return what uploads need to know of a device."""


class SensorCounter(Protocol):
    """Which sensors of a device count towards its company's quota."""

    async def admit(
        self, company_id: uuid.UUID, device_id: uuid.UUID, sensors: AbstractSet[str], limit: int
    ) -> frozenset[str]:
        """Count further sensors of a device, all or none; return those that are counted now.

        Raises:
            QuotaExceeded: there would be more than the limit.
            Unavailable: the company is being erased.
        """


class BootAnchors(Protocol):
    """When boards without a clock were booted."""

    async def settle(
        self, company_id: uuid.UUID, device_id: uuid.UUID, boot_id: int, anchor_ms: int
    ) -> int:
        """Commit the anchor of a boot unless it has one; return the one that holds."""


class Partitions(Protocol):
    """The parts of the batch table."""

    def covers(self, t0_ms: int) -> bool:
        """Tell whether the partition for a time is known to exist; no I/O."""

    async def ensure(self, t0_ms: int) -> None:
        """Make the partition for a time unless it exists.

        Raises:
            Unavailable: it could not be made now.
        """


class BodyReader(Protocol):
    """Understands upload bodies."""

    def unpack(self, body: bytes, content_encoding: str) -> bytes:
        """Undo the content encoding, within the limit."""

    def inspect(self, body: bytes) -> BatchShape:
        """Check a plain body against every rule of the contract."""


class StatementRefused(Exception):
    """The database refuses the data of at least one batch of a flush; nothing was stored."""


class FlushCollision(Exception):
    """The flush lost against a concurrent one (deadlock, serialization); nothing was stored."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a committed flush did: a verdict for each batch, and its place in the log."""

    verdicts: Sequence[Verdict]
    position: int


class BatchStore(Protocol):
    """Stores groups of batches, each group in one transaction."""

    async def store(self, batches: Sequence[NewBatch]) -> Stored:
        """Commit batches with different keys, in the order of their keys.

        Raises:
            StatementRefused: a batch can't be stored.
            FlushCollision: try again.
            Unavailable: the database is away; whether the group was committed is unknown.
        """

    async def close(self) -> None:
        """Close the connection."""


class UploadTrace(Protocol):
    """The span of an upload that is being traced."""


class FlushObserver(Protocol):
    """Watches the writer: metrics, traces, hints. Nothing in it waits or fails."""

    def upload_trace(self) -> UploadTrace | None:
        """Return the running span if it is sampled."""

    def flushing(
        self, batch_count: int, uploads: Sequence[UploadTrace]
    ) -> AbstractContextManager[None]:
        """Accompany a flush."""

    def committed(self, companies: Collection[uuid.UUID], position: int) -> None:
        """Hear that a flush was committed."""


class UploadObserver(Protocol):
    """Counts what becomes of uploads."""

    def stored(self, device_id: uuid.UUID, reading_count: int) -> None:
        """Count a batch that was stored for the first time."""

    def repeated(self, device_id: uuid.UUID) -> None:
        """Count a batch that was stored before."""

    def refused(self, reason: str) -> None:
        """Count an upload that was refused."""

    def took(self, duration_s: float) -> None:
        """Note how long an acknowledged upload took."""
