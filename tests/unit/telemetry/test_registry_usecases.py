"""What managers do with devices: quotas, moves, and having a device back."""

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from services.chassis.errors import EditConflict, QuotaExceeded
from services.chassis.identity import Caller, CallerKind, Role
from services.chassis.ids import new_id
from services.telemetry.domain.companies import CompanyState
from services.telemetry.domain.devices import Device, DeviceEdit, DeviceStatus
from services.telemetry.domain.errors import (
    CompanyNotFound,
    CompanySuspended,
    DeviceNotFound,
    TimeRangeInvalid,
    UploadsSuspended,
    VehicleNotFound,
)
from services.telemetry.ports.registry import AssignmentQuery
from services.telemetry.usecases.assignments import AssignmentUseCases
from services.telemetry.usecases.claiming import ClaimUseCases
from services.telemetry.usecases.registry import DeviceUseCases, NewDevice
from services.telemetry.usecases.vehicles import DetachDevices
from tests.fixtures.telemetry_fakes import COMPANY, FakeTokenIssuer, FixedClock
from tests.fixtures.telemetry_registry_fakes import FakeChanges, FakeCompanies, FakeRegistry

MANAGER = Caller(CallerKind.USER, str(uuid.uuid4()), Role.MANAGER, COMPANY, None, 2**40)
MASTER = Caller(CallerKind.USER, str(uuid.uuid4()), Role.MASTER, None, None, 2**40)
STRANGER = replace(MANAGER, company_id=uuid.uuid4())
NONCE = bytes(16)


class World:
    """The registry on fakes, with two vehicles."""

    def __init__(self) -> None:
        self.clock, self.tokens, self.changes = FixedClock(), FakeTokenIssuer(), FakeChanges()
        self.registry, self.companies = FakeRegistry(), FakeCompanies(COMPANY)
        self.van, self.truck = new_id(), new_id()
        self.companies.vehicles |= {(COMPANY, self.van), (COMPANY, self.truck)}
        self.devices = DeviceUseCases(
            self.registry,
            self.companies,
            self.tokens,
            self.changes,
            clock=self.clock,
            new_id=new_id,
            claim_ttl=timedelta(days=7),
        )
        self.assignments = AssignmentUseCases(self.registry)
        self.claims = ClaimUseCases(
            self.registry, self.tokens, clock=self.clock, claim_key=b"key", suspended_retry_s=300
        )

    async def register(self, vehicle_id: uuid.UUID | None = None) -> Device:
        """Register a board."""
        device, _ = await self.devices.register_device(MANAGER, self.new(vehicle_id))
        return device

    def new(self, vehicle_id: uuid.UUID | None = None) -> NewDevice:
        """Ask for a board."""
        return NewDevice(None, uuid.uuid4().hex, "", vehicle_id, None)

    async def move(self, device: Device, vehicle_id: uuid.UUID | None) -> Device:
        """Mount a device a second later."""
        self.clock.now_ms += 1000
        edit = DeviceEdit(moves=True, vehicle_id=vehicle_id)
        return await self.devices.update_device(MANAGER, device.device_id, edit)

    async def history(self, **query: object) -> list[tuple[uuid.UUID, bool]]:
        """Return on which vehicles devices were, newest first, and whether they still are."""
        asked = AssignmentQuery(**query)  # type: ignore[arg-type]
        page = await self.assignments.list_assignments(MANAGER, asked)
        return [(found.vehicle_id, found.end_at is None) for found in page.assignments]


@pytest.fixture
def world() -> World:
    """The registry on fakes."""
    return World()


async def test_no_more_devices_are_registered_than_the_plan_allows(world: World) -> None:
    """However many try at once; a master is held to it too."""
    world.companies.devices_max = 2

    outcomes = await asyncio.gather(*(world.register() for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(outcome, Device) for outcome in outcomes) == 2
    with pytest.raises(QuotaExceeded) as refusal:
        await world.devices.register_device(MASTER, replace(world.new(), company_id=COMPANY))
    assert refusal.value.metadata == {"quota": "devices", "limit": "2", "used": "2"}


async def test_a_repeated_registration_finds_its_device_in_a_full_company(world: World) -> None:
    """A retry adds nothing."""
    world.companies.devices_max = 1
    new = replace(world.new(), request_id=new_id())
    first, _ = await world.devices.register_device(MANAGER, new)

    again, ticket = await world.devices.register_device(MANAGER, new)

    assert again == first
    assert ticket is not None


async def test_disabled_devices_make_room_and_need_it_to_come_back(world: World) -> None:
    """They count again once they are enabled."""
    world.companies.devices_max = 1
    first = await world.register()
    await world.devices.disable_device(MANAGER, first.device_id)
    second = await world.register()
    with pytest.raises(QuotaExceeded):
        await world.devices.enable_device(MANAGER, first.device_id)
    assert (await world.devices.enable_device(MANAGER, second.device_id))[0] == second

    await world.devices.disable_device(MANAGER, second.device_id)
    enabled, _ = await world.devices.enable_device(MANAGER, first.device_id)

    assert enabled.status is DeviceStatus.REGISTERED


async def test_a_suspended_company_gets_no_devices(world: World) -> None:
    """Neither new ones nor those that were disabled; moving one is no addition."""
    device, disabled = await world.register(), await world.register()
    await world.devices.disable_device(MANAGER, disabled.device_id)
    world.companies.states[COMPANY] = CompanyState.SUSPENDED

    with pytest.raises(CompanySuspended):
        await world.register()
    with pytest.raises(CompanySuspended):
        await world.devices.enable_device(MASTER, disabled.device_id)
    assert (await world.move(device, world.van)).vehicle_id == world.van


async def test_a_company_that_goes_gets_no_devices(world: World) -> None:
    """Whether the directory says so, or says otherwise a moment too early."""
    world.companies.states[COMPANY] = CompanyState.DELETING
    with pytest.raises(CompanyNotFound):
        await world.register()
    world.companies.states[COMPANY] = CompanyState.ACTIVE
    world.registry.erased.add(COMPANY)
    with pytest.raises(CompanyNotFound):
        await world.register()


async def test_a_suspended_companys_boards_keep_what_they_have(world: World) -> None:
    """They prove themselves, are asked to come back, and can then do what they came for."""
    device, ticket = await world.devices.register_device(MANAGER, world.new())
    assert ticket is not None
    world.registry.closed.add(COMPANY)
    with pytest.raises(UploadsSuspended):
        await world.claims.claim(ticket.code, device.hardware_id, NONCE)
    world.registry.closed.clear()
    _, secret = await world.claims.claim(ticket.code, device.hardware_id, NONCE)
    world.registry.closed.add(COMPANY)
    with pytest.raises(UploadsSuspended) as refusal:
        await world.claims.exchange(device.device_id, secret)
    assert refusal.value.retry_after_s == 300
    world.registry.closed.clear()

    assert (await world.claims.exchange(device.device_id, secret)).token


async def test_moves_are_remembered(world: World) -> None:
    """Assigned at registration, moved, taken off, mounted again: each has its time."""
    device = await world.register(world.van)
    for vehicle_id in (world.truck, None, world.van):
        await world.move(device, vehicle_id)

    assert await world.history(device_id=device.device_id) == [
        (world.van, True),
        (world.truck, False),
        (world.van, False),
    ]
    assert await world.history(vehicle_id=world.truck) == [(world.truck, False)]


async def test_a_vehicle_that_is_no_more_has_no_devices(world: World) -> None:
    """However many were on it: each is taken off, once, and that is remembered."""
    gone = [await world.register(world.van) for _ in range(101)]
    other = await world.register(world.truck)
    detach = DetachDevices(world.registry, world.clock)

    for _ in range(2):
        await detach(gone[0].company_id, world.van)

    history = await world.history(vehicle_id=world.van)
    assert history == [(world.van, False)] * len(gone)
    assert await world.history(device_id=other.device_id) == [(world.truck, True)]


async def test_what_changes_nothing_is_not_remembered(world: World) -> None:
    """Neither a new version nor a new assignment."""
    device = await world.register(world.van)

    assert await world.move(device, world.van) == device
    assert len(await world.history()) == 1


async def test_an_edit_changes_what_it_names(world: World) -> None:
    """An empty name is the hardware id again; an old etag is refused."""
    device = await world.register(world.van)
    named = await world.devices.update_device(
        MANAGER, device.device_id, DeviceEdit(display_name="Van 7", etag=device.etag)
    )
    assert (named.display_name, named.vehicle_id) == ("Van 7", world.van)
    with pytest.raises(EditConflict):
        await world.devices.update_device(
            MANAGER, device.device_id, DeviceEdit(display_name="Van 8", etag=device.etag)
        )

    unnamed = await world.devices.update_device(
        MANAGER, device.device_id, DeviceEdit(display_name="", etag=named.etag)
    )

    assert unnamed.display_name == device.hardware_id


async def test_nobody_moves_what_they_do_not_reach(world: World) -> None:
    """A foreign device, or onto a vehicle that is not the company's."""
    device = await world.register()
    edit = DeviceEdit(moves=True, vehicle_id=world.van)

    with pytest.raises(DeviceNotFound):
        await world.devices.update_device(STRANGER, device.device_id, edit)
    with pytest.raises(DeviceNotFound):
        await world.assignments.list_assignments(
            STRANGER, AssignmentQuery(device_id=device.device_id)
        )
    with pytest.raises(CompanyNotFound):
        await world.assignments.list_assignments(STRANGER, AssignmentQuery(company_id=COMPANY))
    with pytest.raises(VehicleNotFound):
        await world.move(device, new_id())
    assert not await world.history()


async def test_an_enabled_board_goes_on_with_its_secret(world: World) -> None:
    """If it has used it; one that may never have got it starts over with a fresh code."""
    device, ticket = await world.devices.register_device(MANAGER, world.new())
    assert ticket is not None
    _, secret = await world.claims.claim(ticket.code, device.hardware_id, NONCE)
    await world.devices.disable_device(MANAGER, device.device_id)
    enabled, fresh = await world.devices.enable_device(MANAGER, device.device_id)
    assert enabled.status is DeviceStatus.REGISTERED
    assert fresh is not None
    _, secret = await world.claims.claim(fresh.code, device.hardware_id, NONCE)
    await world.claims.exchange(device.device_id, secret)
    await world.devices.disable_device(MANAGER, device.device_id)

    enabled, none = await world.devices.enable_device(MANAGER, device.device_id)

    assert (enabled.status, none) == (DeviceStatus.CLAIMED, None)
    assert (await world.claims.exchange(device.device_id, secret)).token
    assert world.changes.announced == [device.device_id] * 4


async def test_a_range_ends_after_it_starts(world: World) -> None:
    """As with readings."""
    with pytest.raises(TimeRangeInvalid):
        await world.assignments.list_assignments(MANAGER, AssignmentQuery(start_ms=5, end_ms=5))


async def test_pages_follow_one_another(world: World) -> None:
    """Each assignment once, newest first, whatever is added meanwhile."""
    device = await world.register(world.van)
    for vehicle_id in (world.truck, world.van, world.truck):
        await world.move(device, vehicle_id)
    query, found = AssignmentQuery(limit=2), []
    while True:
        page = await world.assignments.list_assignments(MANAGER, query)
        found += [assignment.vehicle_id for assignment in page.assignments]
        if page.next_after is None:
            break
        await world.move(device, None)
        query = replace(query, after=page.next_after)

    assert found == [world.truck, world.van, world.truck, world.van]
