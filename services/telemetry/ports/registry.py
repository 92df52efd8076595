"""What the registry and claiming need: stores, and the other services."""

import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.chassis.identity import TenantScope
from services.telemetry.domain.companies import CompanyStanding
from services.telemetry.domain.devices import Assignment, Credentials, Device, Registration


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

    async def count_for_change(self, scope: TenantScope, company_id: uuid.UUID) -> int:
        """Count a company's devices, and keep others from adding any until the transaction ends.

        Disabled ones don't count.

        Raises:
            CompanyNotFound: it is outside the scope, or being erased.
        """

    async def get_for_change(self, scope: TenantScope, device_id: uuid.UUID) -> Device:
        """Return a device and keep others from changing it until the transaction ends.

        Raises:
            DeviceNotFound: there is none in the scope.
        """

    async def list_on_vehicle_for_change(
        self, scope: TenantScope, vehicle_id: uuid.UUID, limit: int
    ) -> Sequence[Device]:
        """Return devices on a vehicle in the order of their ids, and keep others from them."""

    async def save(self, scope: TenantScope, device: Device) -> None:
        """Store the next version of a device that was read for change: its name and vehicle."""

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

    async def enable(self, scope: TenantScope, device_id: uuid.UUID) -> Device:
        """Let a disabled device in again; one that never used its secret has to claim itself anew.

        Raises:
            DeviceNotFound: there is none in the scope.
        """


@dataclass(frozen=True, slots=True)
class AssignmentPlace:
    """A place in a list of assignments, which is ordered by these, newest first."""

    start_at: datetime
    device_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class AssignmentQuery:
    """Which assignments are asked for; what is None restricts nothing."""

    company_id: uuid.UUID | None = None
    device_id: uuid.UUID | None = None
    vehicle_id: uuid.UUID | None = None
    start_ms: int | None = None
    """Those that ended by then are left out."""
    end_ms: int | None = None
    """Those that began then or later are left out."""
    after: AssignmentPlace | None = None
    limit: int = 1000


class AssignmentRepository(Protocol):
    """Which device was on which vehicle when."""

    async def record(self, scope: TenantScope, device: Device, at: datetime) -> None:
        """Note where a device is mounted from now on, and end where it was.

        Call it in the transaction that moves the device.

        Raises:
            VehicleNotFound: the vehicle was closed.
        """

    async def close(self, scope: TenantScope, vehicle_id: uuid.UUID) -> None:
        """Have nothing mounted on a vehicle of one company any more, whatever companies said of it.

        Waits for the transactions that are about to. Commit before looking for what is on it.
        """

    async def list_newest(self, scope: TenantScope, query: AssignmentQuery) -> Sequence[Assignment]:
        """Return assignments that a query asks for, those that began last first."""


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
    def assignments(self) -> AssignmentRepository:
        """Which device was on which vehicle when, by tenant."""

    @property
    def credentials(self) -> CredentialStore:
        """What boards prove themselves with."""


class Registry(Protocol):
    """Where transactions on the registry begin."""

    def begin(self) -> AbstractAsyncContextManager[RegistryWork]:
        """Open a transaction that commits at the end of the block."""


class CompanyDirectory(Protocol):
    """What the companies service knows."""

    async def require_company(self, company_id: uuid.UUID) -> CompanyStanding:
        """Return how a company stands.

        Raises:
            CompanyNotFound: it doesn't exist, or is being deleted.
        """

    async def require_vehicle(self, company_id: uuid.UUID, vehicle_id: uuid.UUID) -> None:
        """Make sure that a company has a vehicle.

        Raises:
            VehicleNotFound: it hasn't.
            VehicleRetired: it is out of use.
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

    async def revoke(self, company_id: uuid.UUID, device_id: uuid.UUID) -> None:
        """End every token that was issued for a device until now."""


class DeviceChanges(Protocol):
    """Tells the other replicas that a device changed."""

    async def announce(self, device_id: uuid.UUID) -> None:
        """Tell them; it may get lost."""
