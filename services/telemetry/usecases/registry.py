"""Registers devices, shows them, shuts them out."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.chassis.audit.entries import note_resource
from services.chassis.errors import RequestIdReused
from services.chassis.identity import Caller, TenantScope
from services.telemetry.domain.companies import CompanyStanding
from services.telemetry.domain.devices import (
    ClaimTicket,
    Device,
    DeviceEdit,
    DeviceStatus,
    Registration,
    claim_code_hash,
    new_claim_code,
)
from services.telemetry.domain.errors import CompanyNotFound, CompanyRequired
from services.telemetry.ports.general import Clock, IdSource
from services.telemetry.ports.registry import (
    CompanyDirectory,
    DeviceChanges,
    Registry,
    RegistryWork,
    TokenIssuer,
)


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A wish for a device, as a caller states it."""

    company_id: uuid.UUID | None
    hardware_id: str
    display_name: str
    vehicle_id: uuid.UUID | None
    request_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class DevicePage:
    """A part of a list, and where the next part starts: None on the last."""

    devices: Sequence[Device]
    next_after: uuid.UUID | None


class DeviceUseCases:
    """The operations on the registry."""

    def __init__(
        self,
        registry: Registry,
        companies: CompanyDirectory,
        tokens: TokenIssuer,
        changes: DeviceChanges,
        *,
        clock: Clock,
        new_id: IdSource,
        claim_ttl: timedelta,
    ) -> None:
        self._registry = registry
        self._companies = companies
        self._tokens = tokens
        self._changes = changes
        self._clock = clock
        self._new_id = new_id
        self._claim_ttl = claim_ttl

    async def register_device(
        self, caller: Caller, new: NewDevice
    ) -> tuple[Device, ClaimTicket | None]:
        """Add a device, or find the one that an earlier try of the request added.

        A board that has claimed itself meanwhile gets no further claim code.
        """
        standing = await self._company(caller, new.company_id)
        company_id = standing.company_id
        if new.vehicle_id is not None:
            await self._companies.require_vehicle(company_id, new.vehicle_id)
        registration = Registration(
            company_id=company_id,
            hardware_id=new.hardware_id,
            display_name=new.display_name or new.hardware_id,
            vehicle_id=new.vehicle_id,
            request_id=new.request_id,
        )
        async with self._registry.begin() as work:
            device = None
            if new.request_id is not None:
                found = await work.devices.registered_by(caller.scope, company_id, new.request_id)
                if found is not None:
                    device, digest = found
                    if digest != registration.digest:
                        raise RequestIdReused(new.request_id)
            if device is None:
                await self._require_room(work, caller, standing)
                device = self._device(registration)
                await work.devices.add(caller.scope, device, registration)
                await work.assignments.record(caller.scope, device, device.created_at)
            note_resource("device", device.device_id, device.company_id)
            return device, await self._ticket(work, caller, device)

    async def get_device(self, caller: Caller, device_id: uuid.UUID) -> Device:
        """Return a device in the caller's reach."""
        async with self._registry.begin() as work:
            return await work.devices.get(caller.scope, device_id)

    async def list_devices(
        self, caller: Caller, *, company_id: uuid.UUID | None, after: uuid.UUID | None, limit: int
    ) -> DevicePage:
        """Return a page of the devices in the caller's reach, oldest first."""
        scope = caller.scope
        if company_id is not None:
            if not scope.includes(company_id):
                raise CompanyNotFound(company_id)
            scope = TenantScope.company(company_id)
        async with self._registry.begin() as work:
            # One more than asked for tells whether there is a next page.
            found = await work.devices.list_after(scope, after, limit + 1)
        page = found[:limit]
        return DevicePage(page, page[-1].device_id if len(found) > limit else None)

    async def update_device(self, caller: Caller, device_id: uuid.UUID, edit: DeviceEdit) -> Device:
        """Change a device's name, or the vehicle that it is mounted on."""
        if edit.moves and edit.vehicle_id is not None:
            device = await self.get_device(caller, device_id)
            # Nobody is asked while a transaction is open. A device never changes its company.
            await self._companies.require_vehicle(device.company_id, edit.vehicle_id)
        async with self._registry.begin() as work:
            device = await work.devices.get_for_change(caller.scope, device_id)
            note_resource("device", device_id, device.company_id)
            changed = device.edited(edit)
            if changed is not device:
                await work.devices.save(caller.scope, changed)
            if changed.vehicle_id != device.vehicle_id:
                await work.assignments.record(caller.scope, changed, self._clock())
        return changed

    async def disable_device(self, caller: Caller, device_id: uuid.UUID) -> Device:
        """End a device's access."""
        async with self._registry.begin() as work:
            device = await work.devices.disable(caller.scope, device_id)
            note_resource("device", device_id, device.company_id)
        # After the commit, and again at each call: a revocation that failed is made up for by
        # disabling once more, and tokens that were issued in between end too.
        await self._tokens.revoke(device.company_id, device_id)
        await self._changes.announce(device_id)
        return device

    async def enable_device(
        self, caller: Caller, device_id: uuid.UUID
    ) -> tuple[Device, ClaimTicket | None]:
        """Give a disabled device its access back; changes nothing if it has it.

        Its tokens stay revoked: a revocation ends what was issued until then, and the board
        exchanges its secret again.
        """
        device = await self.get_device(caller, device_id)
        note_resource("device", device_id, device.company_id)
        if device.status is not DeviceStatus.DISABLED:
            return device, None
        standing = await self._companies.require_company(device.company_id)
        async with self._registry.begin() as work:
            device = await work.devices.get_for_change(caller.scope, device_id)
            note_resource("device", device_id, device.company_id)
            if device.status is not DeviceStatus.DISABLED:
                return device, None
            await self._require_room(work, caller, standing)
            device = await work.devices.enable(caller.scope, device_id)
            ticket = await self._ticket(work, caller, device)
        await self._changes.announce(device_id)
        return device, ticket

    async def _ticket(
        self, work: RegistryWork, caller: Caller, device: Device
    ) -> ClaimTicket | None:
        """Make the claim code of a device that needs one."""
        if device.status is not DeviceStatus.REGISTERED:
            return None
        ticket = ClaimTicket(new_claim_code(), self._clock() + self._claim_ttl)
        await work.devices.set_claim(
            caller.scope, device, claim_code_hash(ticket.code), ticket.expires_at
        )
        return ticket

    async def _require_room(
        self, work: RegistryWork, caller: Caller, standing: CompanyStanding
    ) -> None:
        used = await work.devices.count_for_change(caller.scope, standing.company_id)
        standing.require_room(used)

    async def _company(self, caller: Caller, named: uuid.UUID | None) -> CompanyStanding:
        company_id = named or caller.company_id
        if company_id is None:
            raise CompanyRequired("device.company_id")
        # A foreign company is refused before anybody is asked, exactly as an unknown one.
        if not caller.scope.includes(company_id):
            raise CompanyNotFound(company_id)
        return await self._companies.require_company(company_id)

    def _device(self, registration: Registration) -> Device:
        return Device(
            device_id=self._new_id(),
            company_id=registration.company_id,
            hardware_id=registration.hardware_id,
            display_name=registration.display_name,
            vehicle_id=registration.vehicle_id,
            status=DeviceStatus.REGISTERED,
            created_at=self._clock(),
        )
