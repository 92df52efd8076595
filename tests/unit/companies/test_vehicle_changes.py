"""What changes about vehicles, and what must not."""

import uuid

import pytest

from services.chassis.errors import EditConflict, InvalidArgument
from services.chassis.identity import Caller, Role
from services.companies.domain.companies import Company, NewCompany
from services.companies.domain.errors import PlateTaken, VehicleNotFound
from services.companies.domain.fleet_errors import (
    OdometerDecreased,
    TeamNotFound,
    VehicleAssigned,
)
from services.companies.domain.search import words_of
from services.companies.domain.teams import NewTeam
from services.companies.domain.vehicle_lists import VehicleOrder, VehicleQuery
from services.companies.domain.vehicles import (
    NewVehicle,
    Vehicle,
    VehicleEdit,
    VehicleStatus,
    VehicleType,
)
from tests.fixtures.companies_fakes import CompaniesOnFakes
from tests.fixtures.users_fakes import caller_with

MASTER = caller_with(Role.MASTER)


@pytest.fixture
def fakes() -> CompaniesOnFakes:
    """No companies."""
    return CompaniesOnFakes()


@pytest.fixture
async def company(fakes: CompaniesOnFakes) -> Company:
    """A company."""
    return await fakes.companies.create_company(MASTER, NewCompany("Acme"))


@pytest.fixture
def manager(company: Company) -> Caller:
    """A manager of the company."""
    return caller_with(Role.MANAGER, company.company_id)


async def have(
    fakes: CompaniesOnFakes, manager: Caller, plate: str = "AA01", display_name: str = ""
) -> Vehicle:
    """Have a vehicle."""
    new = NewVehicle(None, plate, display_name, odometer_m=5000)
    return await fakes.vehicles.create_vehicle(manager, new)


async def test_changes_are_announced_with_their_version(
    fakes: CompaniesOnFakes, manager: Caller
) -> None:
    """Each change makes the next version and is told; an edit that changes nothing is not."""
    made = await have(fakes, manager)
    edit = VehicleEdit(
        type=VehicleType.TRUCK, status=VehicleStatus.IN_MAINTENANCE, vin="1hgcm82633a004352"
    )

    changed = await fakes.vehicles.update_vehicle(manager, made.vehicle_id, edit)
    same = await fakes.vehicles.update_vehicle(manager, made.vehicle_id, edit)

    assert (changed.type, changed.status) == (VehicleType.TRUCK, VehicleStatus.IN_MAINTENANCE)
    assert (changed.vin, changed.version) == ("1HGCM82633A004352", 2)
    assert same == changed
    assert fakes.transactions.tables.announced_vehicles == [made, changed]


async def test_odometers_go_back_only_by_correction(
    fakes: CompaniesOnFakes, manager: Caller
) -> None:
    """A smaller reading is refused with the one that is stored, unless that was wrong."""
    made = await have(fakes, manager)
    update = fakes.vehicles.update_vehicle

    with pytest.raises(OdometerDecreased) as refusal:
        await update(manager, made.vehicle_id, VehicleEdit(odometer_m=4999))
    further = await update(manager, made.vehicle_id, VehicleEdit(odometer_m=6000))
    correction = VehicleEdit(odometer_m=10, allow_odometer_decrease=True)
    corrected = await update(manager, made.vehicle_id, correction)

    assert refusal.value.metadata == {"odometer_m": "5000"}
    assert (further.odometer_m, corrected.odometer_m) == (6000, 10)


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (VehicleEdit(plate=""), "vehicle.plate"),
        (VehicleEdit(plate="ÄÖ-1"), "vehicle.plate"),
        (VehicleEdit(display_name="a\x00"), "vehicle.display_name"),
        (VehicleEdit(vin="1HGCM82633A00435"), "vehicle.vin"),
        (VehicleEdit(vin="IHGCM82633A004352"), "vehicle.vin"),
        (VehicleEdit(odometer_m=10_000_000_001), "vehicle.odometer_m"),
    ],
)
async def test_fields_are_checked(
    fakes: CompaniesOnFakes, manager: Caller, edit: VehicleEdit, field: str
) -> None:
    """A value that breaks a rule is refused by the name of its field."""
    made = await have(fakes, manager)

    with pytest.raises(InvalidArgument) as refusal:
        await fakes.vehicles.update_vehicle(manager, made.vehicle_id, edit)

    assert [violation.field for violation in refusal.value.violations] == [field]


async def test_a_name_that_is_the_plate_follows_it(
    fakes: CompaniesOnFakes, manager: Caller
) -> None:
    """A vehicle that is called by its plate goes on so; another name stays."""
    plain = await have(fakes, manager)
    named = await have(fakes, manager, "AA02", display_name="Truck 7")
    update = fakes.vehicles.update_vehicle

    replated = await update(manager, plain.vehicle_id, VehicleEdit(plate="bb-01"))
    renamed = await update(manager, named.vehicle_id, VehicleEdit(plate="bb-02"))
    unnamed = await update(manager, named.vehicle_id, VehicleEdit(display_name=""))

    assert (replated.plate, replated.display_name) == ("BB-01", "BB-01")
    assert renamed.display_name == "Truck 7"
    assert unnamed.display_name == "BB-02"
    with pytest.raises(PlateTaken):
        await update(manager, named.vehicle_id, VehicleEdit(plate="BB-01"))


async def test_etags_guard_changes_and_removal(fakes: CompaniesOnFakes, manager: Caller) -> None:
    """Whoever has seen another version changes and removes nothing."""
    made = await have(fakes, manager)
    await fakes.vehicles.update_vehicle(manager, made.vehicle_id, VehicleEdit(odometer_m=6000))

    edit = VehicleEdit(odometer_m=7000, etag=made.etag)
    with pytest.raises(EditConflict):
        await fakes.vehicles.update_vehicle(manager, made.vehicle_id, edit)
    with pytest.raises(EditConflict):
        await fakes.vehicles.delete_vehicle(manager, made.vehicle_id, made.etag)


async def test_vehicles_go_into_teams_of_their_company(
    fakes: CompaniesOnFakes, manager: Caller
) -> None:
    """A vehicle is in a team of its own company, and in none again."""
    team = await fakes.teams.create_team(manager, NewTeam(None, "North"))
    other = await fakes.companies.create_company(MASTER, NewCompany("Other"))
    foreign = await fakes.teams.create_team(MASTER, NewTeam(other.company_id, "South"))
    made = await have(fakes, manager)
    update = fakes.vehicles.update_vehicle

    joined = await update(manager, made.vehicle_id, VehicleEdit(team_id=team.team_id))
    for team_id in (foreign.team_id, uuid.uuid4()):
        with pytest.raises(TeamNotFound):
            # A master reaches both, and still mixes nothing up.
            await update(MASTER, made.vehicle_id, VehicleEdit(team_id=team_id))
        with pytest.raises(TeamNotFound):
            await fakes.vehicles.create_vehicle(manager, NewVehicle(None, "X", team_id=team_id))
    left = await update(manager, made.vehicle_id, VehicleEdit(leaves_team=True))

    assert (joined.team_id, left.team_id) == (team.team_id, None)


async def test_vehicles_in_use_neither_retire_nor_go(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Whoever is on a vehicle has to leave it first; then it is gone, and that is told."""
    made = await have(fakes, manager)
    driver = fakes.have_person(company)
    assignment = await fakes.assignments.assign_person(
        manager, made.vehicle_id, driver.user_id, replace=False
    )

    with pytest.raises(VehicleAssigned):
        await fakes.vehicles.delete_vehicle(manager, made.vehicle_id, "")
    retired = VehicleEdit(status=VehicleStatus.RETIRED)
    with pytest.raises(VehicleAssigned):
        await fakes.vehicles.update_vehicle(manager, made.vehicle_id, retired)
    await fakes.assignments.end_assignment(manager, assignment.assignment_id)
    await fakes.vehicles.delete_vehicle(manager, made.vehicle_id, "")

    with pytest.raises(VehicleNotFound):
        await fakes.vehicles.get_vehicle(manager, made.vehicle_id)
    assert fakes.transactions.tables.deleted_vehicles == [made.vehicle_id]
    assert (await have(fakes, manager)).plate == made.plate


async def test_drivers_and_helpers_see_their_own_vehicle(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """For them there is the vehicle that they are on, and no other one."""
    own, other = await have(fakes, manager), await have(fakes, manager, "AA02")
    for role in (Role.DRIVER, Role.HELPER):
        person = fakes.have_person(company, role)
        await fakes.assignments.assign_person(
            manager, own.vehicle_id, person.user_id, replace=False
        )
        caller = caller_with(role, company.company_id, person.user_id)

        page = await fakes.vehicles.list_vehicles(caller, VehicleQuery(), after=None, limit=10)

        assert page.vehicles == [own]
        assert await fakes.vehicles.get_vehicle(caller, own.vehicle_id) == own
        with pytest.raises(VehicleNotFound):
            await fakes.vehicles.get_vehicle(caller, other.vehicle_id)


async def test_lists_are_filtered_and_ordered(fakes: CompaniesOnFakes, manager: Caller) -> None:
    """Words are found in names and plates, whatever their case, accents and dashes."""
    create = fakes.vehicles.create_vehicle
    van = await create(manager, NewVehicle(None, "AA-01-BB", "Carrinha São", VehicleType.VAN))
    bus = await create(manager, NewVehicle(None, "AA-02-BB", "Ônibus", VehicleType.BUS))

    async def listed(query: VehicleQuery) -> list[Vehicle]:
        page = await fakes.vehicles.list_vehicles(manager, query, after=None, limit=10)
        return list(page.vehicles)

    assert await listed(VehicleQuery(words=words_of("SAO carr"))) == [van]
    assert await listed(VehicleQuery(words=words_of("aa02bb"))) == [bus]
    assert await listed(VehicleQuery(words=words_of("02-bb"))) == [bus]
    assert await listed(VehicleQuery(type=VehicleType.VAN)) == [van]
    assert await listed(VehicleQuery(status=VehicleStatus.RETIRED)) == []
    assert await listed(VehicleQuery(order=VehicleOrder.parse("display_name desc"))) == [bus, van]
    with pytest.raises(InvalidArgument):
        VehicleOrder.parse("plate sideways")
