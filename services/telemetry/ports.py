"""What the use cases need from the outside, by role."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.chassis.identity import TenantScope
from services.telemetry.domain.batches import BatchShape, NewBatch, Verdict
from services.telemetry.domain.columns import Columns, Grid
from services.telemetry.domain.devices import (
    Credentials,
    Device,
    DeviceFacts,
    Registration,
)
from services.telemetry.domain.latest import Latest


class Clock(Protocol):
    """The time of day."""

    def __call__(self) -> datetime:
        """Return the present time, aware of its zone."""


class IdSource(Protocol):
    """Where new ids come from."""

    def __call__(self) -> uuid.UUID:
        """Draw an id."""


# The registry


class DeviceRepository(Protocol):
    """Devices within one transaction."""

    async def registered_by(
        self, scope: TenantScope, company_id: uuid.UUID, request_id: uuid.UUID
    ) -> tuple[Device, bytes] | None:
        """Find what an earlier try of a request registered, with the digest of its wish."""

    async def add(self, scope: TenantScope, device: Device, registration: Registration) -> None:
        """Add a device.

        Raises:
            HardwareIdTaken: the board is registered already.
        """

    async def set_claim(
        self, scope: TenantScope, device: Device, claim_hash: bytes, expires_at: datetime
    ) -> None:
        """Replace the device's claim code."""

    async def get(self, scope: TenantScope, device_id: uuid.UUID) -> Device:
        """Return a device.

        Raises:
            DeviceNotFound: there is none in the scope.
        """

    async def list_after(
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[Device]:
        """Return devices in the order of their ids, which is that of registration."""

    async def disable(self, scope: TenantScope, device_id: uuid.UUID) -> Device:
        """Shut a device out and forget its claim code.

        Raises:
            DeviceNotFound: there is none in the scope.
        """


class CredentialStore(Protocol):
    """How boards prove who they are, before anybody knows their company."""

    async def by_claim(self, claim_hash: bytes) -> Credentials | None:
        """Find and lock the device that this claim code belongs to."""

    async def by_id(self, device_id: uuid.UUID) -> Credentials | None:
        """Find and lock the device with this id."""

    async def record_claim(self, device: Credentials, nonce: bytes, secret_hash: bytes) -> None:
        """Keep what the board was given."""

    async def record_secret_use(self, device: Credentials, at: datetime) -> None:
        """Note that the board has its secret: the claim code is dead from now on."""


class RegistryWork(Protocol):
    """What one transaction on the registry reaches."""

    @property
    def devices(self) -> DeviceRepository:
        """Devices, by tenant."""

    @property
    def credentials(self) -> CredentialStore:
        """What boards prove themselves with."""


class Registry(Protocol):
    """Where transactions on the registry begin."""

    def begin(self) -> AbstractAsyncContextManager[RegistryWork]:
        """Open a transaction that commits at the end of the block."""


class CompanyDirectory(Protocol):
    """What the companies service knows."""

    async def require_company(self, company_id: uuid.UUID) -> None:
        """Make sure that a company exists.

        Raises:
            CompanyNotFound: it doesn't.
        """

    async def require_vehicle(self, company_id: uuid.UUID, vehicle_id: uuid.UUID) -> None:
        """Make sure that a company has a vehicle.

        Raises:
            VehicleNotFound: it hasn't.
        """


@dataclass(frozen=True, slots=True)
class DeviceToken:
    """A signed token for uploads."""

    token: str
    expires_at_s: int


class TokenIssuer(Protocol):
    """What the auth service does for devices."""

    async def issue(self, company_id: uuid.UUID, device_id: uuid.UUID) -> DeviceToken:
        """Sign a token."""

    async def revoke(self, device_id: uuid.UUID) -> None:
        """End every token that was issued for a device until now."""


class DeviceChanges(Protocol):
    """Tells the other replicas that a device changed."""

    async def announce(self, device_id: uuid.UUID) -> None:
        """Tell them; it may get lost."""


# The write path


class FactsSource(Protocol):
    """Where the facts about devices are kept."""

    async def find(self, device_id: uuid.UUID) -> DeviceFacts | None:
        """Return what uploads need to know of a device."""


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


# Reading


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
