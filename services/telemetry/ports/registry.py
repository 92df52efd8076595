"""What the registry and claiming need: stores, and the other services."""

import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.chassis.identity import TenantScope
from services.telemetry.domain.devices import Credentials, Device, Registration


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
