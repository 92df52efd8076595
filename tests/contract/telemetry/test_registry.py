"""What every registry promises, in memory and in PostgreSQL alike."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.identity import TenantScope
from services.chassis.ids import new_id
from services.telemetry.domain.devices import Device, DeviceStatus, Registration
from services.telemetry.domain.errors import CompanyNotFound, DeviceNotFound, HardwareIdTaken
from services.telemetry.ports.registry import Registry

EVERYTHING = TenantScope.everything()
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = NOW + timedelta(days=7)


def unclaimed(company_id: uuid.UUID | None = None) -> Device:
    """A device."""
    return Device(
        device_id=new_id(),
        company_id=company_id or new_id(),
        hardware_id=uuid.uuid4().hex,
        display_name="Board Ñ 車",
        vehicle_id=new_id(),
        status=DeviceStatus.REGISTERED,
        created_at=NOW,
    )


def registration(device: Device, request_id: uuid.UUID | None = None) -> Registration:
    """The wish that a device came from."""
    return Registration(
        company_id=device.company_id,
        hardware_id=device.hardware_id,
        display_name=device.display_name,
        vehicle_id=device.vehicle_id,
        request_id=request_id,
    )


async def added(registry: Registry, device: Device, request_id: uuid.UUID | None = None) -> Device:
    """Add a device."""
    async with registry.begin() as work:
        await work.devices.add(EVERYTHING, device, registration(device, request_id))
    return device


async def test_a_device_comes_back_as_it_was_added(registry: Registry) -> None:
    """Within the scope of its company."""
    device = await added(registry, unclaimed())

    async with registry.begin() as work:
        assert await work.devices.get(TenantScope.company(device.company_id), device.device_id) == (
            device
        )


async def test_foreign_and_unknown_devices_are_not_found(registry: Registry) -> None:
    """By whichever method."""
    device = await added(registry, unclaimed())
    foreign = TenantScope.company(new_id())

    async with registry.begin() as work:
        for scope, device_id in ((foreign, device.device_id), (EVERYTHING, new_id())):
            for method in (work.devices.get, work.devices.disable):
                with pytest.raises(DeviceNotFound):
                    await method(scope, device_id)
    async with registry.begin() as work:
        assert await work.devices.get(EVERYTHING, device.device_id) == device


async def test_nothing_is_added_outside_of_the_scope(registry: Registry) -> None:
    """A manager can't register for somebody else."""
    device = unclaimed()
    with pytest.raises(CompanyNotFound):
        async with registry.begin() as work:
            await work.devices.add(TenantScope.company(new_id()), device, registration(device))


async def test_a_board_is_registered_once_over_all_companies(registry: Registry) -> None:
    """The failed try leaves nothing behind."""
    device = await added(registry, unclaimed())
    rival = replace(unclaimed(), hardware_id=device.hardware_id)

    with pytest.raises(HardwareIdTaken):
        await added(registry, rival)

    async with registry.begin() as work:
        with pytest.raises(DeviceNotFound):
            await work.devices.get(EVERYTHING, rival.device_id)


async def test_a_request_finds_its_device(registry: Registry) -> None:
    """In its company only."""
    request_id = new_id()
    device = await added(registry, unclaimed(), request_id)
    scope = TenantScope.company(device.company_id)

    async with registry.begin() as work:
        find = work.devices.registered_by
        assert await find(scope, device.company_id, request_id) == (
            device,
            registration(device).digest,
        )
        assert await find(scope, device.company_id, new_id()) is None
        assert await find(EVERYTHING, new_id(), request_id) is None


async def test_devices_are_listed_in_order(registry: Registry) -> None:
    """From a device on, so many, of the scope."""
    company_id = new_id()
    made = [await added(registry, unclaimed(company_id)) for _ in range(4)]
    await added(registry, unclaimed())
    scope = TenantScope.company(company_id)

    async with registry.begin() as work:
        assert await work.devices.list_after(scope, None, 3) == made[:3]
        assert await work.devices.list_after(scope, made[2].device_id, 3) == made[3:]
        assert await work.devices.list_after(scope, made[3].device_id, 3) == []


async def test_a_claim_leads_to_its_device_until_the_secret_is_used(registry: Registry) -> None:
    """The newest code counts; using the secret ends it."""
    device = await added(registry, unclaimed())
    old, new = new_id().bytes, new_id().bytes
    async with registry.begin() as work:
        for claim_hash in (old, new):
            await work.devices.set_claim(EVERYTHING, device, claim_hash, LATER)

    async with registry.begin() as work:
        assert await work.credentials.by_claim(old) is None
        found = await work.credentials.by_claim(new)
        assert found is not None
        assert (found.device_id, found.claim_expires_at) == (device.device_id, LATER)
        assert (found.status, found.secret_hash, found.secret_used) == (
            DeviceStatus.REGISTERED,
            None,
            False,
        )
        await work.credentials.record_claim(found, b"nonce", b"secret hash")

    async with registry.begin() as work:
        claimed = await work.credentials.by_claim(new)
        assert claimed is not None
        assert (claimed.status, claimed.nonce) == (DeviceStatus.CLAIMED, b"nonce")
        await work.credentials.record_secret_use(claimed, NOW)

    async with registry.begin() as work:
        assert await work.credentials.by_claim(new) is None
        used = await work.credentials.by_id(device.device_id)
        assert used is not None
        assert (used.secret_hash, used.secret_used, used.nonce) == (b"secret hash", True, None)
        shown = await work.devices.get(EVERYTHING, device.device_id)
        assert shown.status is DeviceStatus.CLAIMED
        assert await work.credentials.by_id(new_id()) is None


async def test_disabling_ends_the_claim(registry: Registry) -> None:
    """For good, however often."""
    device = await added(registry, unclaimed())
    claim_hash = new_id().bytes
    async with registry.begin() as work:
        await work.devices.set_claim(EVERYTHING, device, claim_hash, LATER)

    for _ in range(2):
        async with registry.begin() as work:
            disabled = await work.devices.disable(EVERYTHING, device.device_id)
            assert disabled == replace(device, status=DeviceStatus.DISABLED, version=2)

    async with registry.begin() as work:
        assert await work.credentials.by_claim(claim_hash) is None


async def test_a_transaction_that_fails_changes_nothing(registry: Registry) -> None:
    """All or nothing."""
    device = unclaimed()

    async def add_and_fail() -> None:
        async with registry.begin() as work:
            await work.devices.add(EVERYTHING, device, registration(device))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await add_and_fail()

    async with registry.begin() as work:
        with pytest.raises(DeviceNotFound):
            await work.devices.get(EVERYTHING, device.device_id)
