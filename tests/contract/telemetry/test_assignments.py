"""What every registry promises about where devices are mounted, and how many there are."""

import asyncio
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from services.chassis.identity import TenantScope
from services.chassis.ids import new_id
from services.telemetry.domain.devices import Assignment, Device, DeviceStatus
from services.telemetry.domain.errors import CompanyNotFound, DeviceNotFound, VehicleNotFound
from services.telemetry.ports.registry import AssignmentPlace, AssignmentQuery, Registry
from tests.contract.telemetry.test_registry import (
    EVERYTHING,
    NOW,
    added,
    registration,
    unclaimed,
)

HOUR = timedelta(hours=1)


async def mount(
    registry: Registry, device: Device, vehicle_id: uuid.UUID | None, at: datetime
) -> Device:
    """Move a device."""
    moved = replace(device, vehicle_id=vehicle_id, version=device.version + 1)
    async with registry.begin() as work:
        await work.devices.get_for_change(EVERYTHING, device.device_id)
        await work.devices.save(EVERYTHING, moved)
        await work.assignments.record(EVERYTHING, moved, at)
    return moved


async def listed(
    registry: Registry, scope: TenantScope = EVERYTHING, **query: object
) -> list[Assignment]:
    """Return the assignments that a query asks for."""
    async with registry.begin() as work:
        found = await work.assignments.list_newest(scope, AssignmentQuery(**query))  # type: ignore[arg-type]
    return list(found)


def ms(at: datetime) -> int:
    """Return a moment in milliseconds."""
    return int(at.timestamp() * 1000)


async def test_a_saved_device_is_read_as_it_was_saved(registry: Registry) -> None:
    """By its own company alone."""
    device = await added(registry, unclaimed())
    saved = replace(device, display_name="Van 7", vehicle_id=None, version=2)
    async with registry.begin() as work:
        await work.devices.save(TenantScope.company(new_id()), replace(saved, display_name="No"))
        assert await work.devices.get_for_change(EVERYTHING, device.device_id) == device
        await work.devices.save(TenantScope.company(device.company_id), saved)

    async with registry.begin() as work:
        assert await work.devices.get(EVERYTHING, device.device_id) == saved
        with pytest.raises(DeviceNotFound):
            await work.devices.get_for_change(TenantScope.company(new_id()), device.device_id)


async def test_assignments_follow_one_another(registry: Registry) -> None:
    """One ends where the next begins; taken off, there is none."""
    device = await added(registry, unclaimed())
    own = (device.company_id, device.device_id)
    first, second = new_id(), new_id()
    for hour, vehicle_id in enumerate((first, second, None, first)):
        device = await mount(registry, device, vehicle_id, NOW + hour * HOUR)

    assert await listed(registry, device_id=device.device_id) == [
        Assignment(*own, first, NOW + 3 * HOUR),
        Assignment(*own, second, NOW + HOUR, NOW + 2 * HOUR),
        Assignment(*own, first, NOW, NOW + HOUR),
    ]


async def test_clocks_that_differ_do_not_mix_up_the_order(registry: Registry) -> None:
    """What is told later begins later, and never before what it ends."""
    device = await added(registry, unclaimed())
    vehicles = [new_id() for _ in range(3)]
    for vehicle_id in vehicles:
        device = await mount(registry, device, vehicle_id, NOW)

    found = await listed(registry, device_id=device.device_id)

    assert [assignment.vehicle_id for assignment in found] == vehicles[::-1]
    for later, earlier in pairwise(found):
        assert earlier.end_at == later.start_at
        assert earlier.start_at < later.start_at


async def test_assignments_are_found_by_what_and_when(registry: Registry) -> None:
    """Device, vehicle, range, scope, and a place to go on from."""
    device, other = await added(registry, unclaimed()), await added(registry, unclaimed())
    vehicle_id = new_id()
    await mount(registry, other, new_id(), NOW)
    moved = await mount(registry, device, vehicle_id, NOW)
    await mount(registry, moved, None, NOW + HOUR)
    scope = TenantScope.company(device.company_id)
    (expected,) = await listed(registry, scope)

    assert await listed(registry, vehicle_id=vehicle_id) == [expected]
    assert await listed(registry, scope, start_ms=ms(NOW + HOUR) - 1) == [expected]
    assert await listed(registry, scope, end_ms=ms(NOW) + 1) == [expected]
    assert not await listed(registry, scope, start_ms=ms(NOW + HOUR) + 1)
    assert not await listed(registry, scope, end_ms=ms(NOW))
    assert not await listed(registry, scope, device_id=other.device_id)
    assert not await listed(registry, TenantScope.company(new_id()))
    place = AssignmentPlace(expected.start_at, expected.device_id)
    assert not await listed(registry, scope, after=place)
    place = AssignmentPlace(expected.start_at + HOUR, expected.device_id)
    assert await listed(registry, scope, after=place, limit=1) == [expected]
    with pytest.raises(DeviceNotFound):
        async with registry.begin() as work:
            await work.assignments.record(TenantScope.company(new_id()), device, NOW)


async def test_devices_are_counted_without_the_disabled(registry: Registry) -> None:
    """Those of the company."""
    device = await added(registry, unclaimed())
    company_id = device.company_id
    disabled = await added(registry, unclaimed(company_id))
    await added(registry, unclaimed())
    async with registry.begin() as work:
        await work.devices.disable(EVERYTHING, disabled.device_id)

    async with registry.begin() as work:
        assert await work.devices.count_for_change(EVERYTHING, company_id) == 1
        with pytest.raises(CompanyNotFound):
            await work.devices.count_for_change(TenantScope.company(new_id()), company_id)


async def test_counting_and_adding_are_one_step(registry: Registry) -> None:
    """Simultaneous ones follow one another."""
    company_id = new_id()

    async def add() -> int:
        device = unclaimed(company_id)
        async with registry.begin() as work:
            used = await work.devices.count_for_change(EVERYTHING, company_id)
            await asyncio.sleep(0.01)
            await work.devices.add(EVERYTHING, device, registration(device))
            return used

    assert sorted(await asyncio.gather(*(add() for _ in range(5)))) == [0, 1, 2, 3, 4]


async def test_an_enabled_device_goes_on_or_starts_over(registry: Registry) -> None:
    """With its secret if it has used it; without one, and unclaimed, if it hasn't."""
    device = await added(registry, unclaimed())
    async with registry.begin() as work:
        await work.devices.set_claim(EVERYTHING, device, new_id().bytes, NOW)
        credentials = await work.credentials.by_id(device.device_id)
        assert credentials is not None
        await work.credentials.record_claim(credentials, bytes(16), bytes(32))
        await work.devices.disable(EVERYTHING, device.device_id)
        enabled = await work.devices.enable(EVERYTHING, device.device_id)
        assert enabled == replace(device, status=DeviceStatus.REGISTERED, version=4)
        credentials = await work.credentials.by_id(device.device_id)
        assert credentials is not None
        assert (credentials.nonce, credentials.secret_hash) == (None, None)

    async with registry.begin() as work:
        await work.credentials.record_claim(credentials, bytes(16), bytes(32))
        await work.credentials.record_secret_use(credentials, NOW)
        await work.devices.disable(EVERYTHING, device.device_id)
        enabled = await work.devices.enable(EVERYTHING, device.device_id)

    assert enabled == replace(device, status=DeviceStatus.CLAIMED, version=7)
    async with registry.begin() as work:
        credentials = await work.credentials.by_id(device.device_id)
        assert credentials is not None
        assert (credentials.secret_used, credentials.secret_hash) == (True, bytes(32))
        with pytest.raises(DeviceNotFound):
            await work.devices.enable(TenantScope.company(new_id()), device.device_id)


async def test_devices_on_a_vehicle_are_found(registry: Registry) -> None:
    """Those of the company that are on it, in the order of their ids, and no more than asked."""
    first = await added(registry, unclaimed())
    second = await added(
        registry, replace(unclaimed(first.company_id), vehicle_id=first.vehicle_id)
    )
    await added(registry, unclaimed(first.company_id))
    await added(registry, replace(unclaimed(), vehicle_id=first.vehicle_id))
    scope, vehicle_id = TenantScope.company(first.company_id), first.vehicle_id
    assert vehicle_id is not None

    async with registry.begin() as work:
        on_it = work.devices.list_on_vehicle_for_change
        assert await on_it(scope, vehicle_id, 10) == [first, second]
        assert await on_it(scope, vehicle_id, 1) == [first]
        assert await on_it(TenantScope.company(new_id()), vehicle_id, 10) == []


async def test_nothing_is_mounted_on_a_vehicle_that_is_no_more(registry: Registry) -> None:
    """What was about to be mounted when it was deleted is refused, and the device stays."""
    van, truck = new_id(), new_id()
    device = await added(registry, unclaimed())
    own = TenantScope.company(device.company_id)
    async with registry.begin() as work:
        await work.assignments.close(own, van)
        await work.assignments.close(own, van)
        await work.assignments.close(TenantScope.company(new_id()), truck)

    with pytest.raises(VehicleNotFound):
        await mount(registry, device, van, NOW)

    async with registry.begin() as work:
        assert (await work.devices.get(own, device.device_id)).vehicle_id == device.vehicle_id
    await mount(registry, device, truck, NOW + HOUR)
    assert (await listed(registry, vehicle_id=van)) == []


async def test_a_deletion_waits_for_what_is_being_mounted(registry: Registry) -> None:
    """Whoever comes second sees the other, so that no device is left on it."""
    van = new_id()
    device = await added(registry, unclaimed())
    own = TenantScope.company(device.company_id)
    mounting = asyncio.Event()

    async def mount_slowly() -> None:
        moved = replace(device, vehicle_id=van, version=2)
        async with registry.begin() as work:
            await work.devices.get_for_change(own, device.device_id)
            await work.devices.save(own, moved)
            await work.assignments.record(own, moved, NOW)
            mounting.set()
            await asyncio.sleep(0.2)

    async def delete() -> list[Device]:
        await mounting.wait()
        async with registry.begin() as work:
            await work.assignments.close(own, van)
        async with registry.begin() as work:
            return list(await work.devices.list_on_vehicle_for_change(own, van, 10))

    _, left = await asyncio.gather(mount_slowly(), delete())
    assert [found.device_id for found in left] == [device.device_id]
