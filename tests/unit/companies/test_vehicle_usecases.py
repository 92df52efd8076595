"""What can be done with vehicles, by whom, and what it leaves behind."""

import uuid
from dataclasses import replace

import pytest

from services.chassis.errors import RequestIdReused
from services.chassis.identity import Caller, Role
from services.companies.domain.companies import Company, NewCompany
from services.companies.domain.errors import (
    CompanyNotFound,
    CompanyRequired,
    PlateTaken,
    VehicleNotFound,
)
from services.companies.domain.vehicle_lists import VehicleQuery
from services.companies.domain.vehicles import NewVehicle
from tests.fixtures.companies_fakes import CompaniesOnFakes
from tests.fixtures.users_fakes import caller_with

MASTER = caller_with(Role.MASTER)


@pytest.fixture
def fakes() -> CompaniesOnFakes:
    """No companies."""
    return CompaniesOnFakes()


async def have(fakes: CompaniesOnFakes, name: str = "Acme") -> Company:
    """Have a company."""
    return await fakes.companies.create_company(MASTER, NewCompany(name))


def member(company: Company, role: Role = Role.MANAGER) -> Caller:
    """Act as somebody of a company."""
    return caller_with(role, company.company_id)


async def test_vehicles_belong_to_the_callers_company(fakes: CompaniesOnFakes) -> None:
    """Whoever names no company means their own; the plate is in capitals and is the name."""
    company = await have(fakes)

    vehicle = await fakes.vehicles.create_vehicle(member(company), NewVehicle(None, "aa-01 bb "))

    assert vehicle.company_id == company.company_id
    assert (vehicle.plate, vehicle.display_name) == ("AA-01 BB", "AA-01 BB")
    assert await fakes.vehicles.get_vehicle(member(company), vehicle.vehicle_id) == vehicle


async def test_masters_name_the_company_of_a_vehicle(fakes: CompaniesOnFakes) -> None:
    """A master has no company that could be meant."""
    with pytest.raises(CompanyRequired):
        await fakes.vehicles.create_vehicle(MASTER, NewVehicle(None, "AA01"))


async def test_foreign_companies_get_no_vehicles(fakes: CompaniesOnFakes) -> None:
    """A foreign company answers as one that does not exist."""
    own, foreign = await have(fakes, "Own"), await have(fakes, "Foreign")

    for company_id in (foreign.company_id, uuid.uuid4()):
        with pytest.raises(CompanyNotFound):
            await fakes.vehicles.create_vehicle(member(own), NewVehicle(company_id, "AA01"))
        with pytest.raises(CompanyNotFound):
            await fakes.vehicles.list_vehicles(
                member(own), VehicleQuery(company_id=company_id), after=None, limit=10
            )


async def test_plates_are_unique_within_a_company(fakes: CompaniesOnFakes) -> None:
    """The same plate is taken in one company in any case, and free in another."""
    own, other = await have(fakes, "Own"), await have(fakes, "Other")
    await fakes.vehicles.create_vehicle(MASTER, NewVehicle(own.company_id, "AA01"))

    await fakes.vehicles.create_vehicle(MASTER, NewVehicle(other.company_id, "AA01"))
    with pytest.raises(PlateTaken) as refusal:
        await fakes.vehicles.create_vehicle(MASTER, NewVehicle(own.company_id, "aa01"))

    assert refusal.value.metadata == {"plate": "AA01"}


async def test_repeated_requests_make_one_vehicle(fakes: CompaniesOnFakes) -> None:
    """A retry returns the vehicle; other content under the same id is refused."""
    company, request_id = await have(fakes), uuid.uuid4()
    new = NewVehicle(company.company_id, "AA01", request_id=request_id)
    made = await fakes.vehicles.create_vehicle(MASTER, new)

    assert await fakes.vehicles.create_vehicle(MASTER, new) == made
    with pytest.raises(RequestIdReused) as refusal:
        await fakes.vehicles.create_vehicle(MASTER, replace(new, plate="AA02"))
    assert refusal.value.metadata == {"request_id": str(request_id)}


async def test_vehicle_lists_keep_to_companies(fakes: CompaniesOnFakes) -> None:
    """Members list their own; a master all, or one company's; pages go on."""
    own, foreign = await have(fakes, "Own"), await have(fakes, "Foreign")
    create, listing = fakes.vehicles.create_vehicle, fakes.vehicles.list_vehicles
    ours = [await create(MASTER, NewVehicle(own.company_id, f"AA0{n}")) for n in range(3)]
    theirs = await create(MASTER, NewVehicle(foreign.company_id, "BB01"))

    first = await listing(member(own), VehicleQuery(), after=None, limit=2)
    of_own = VehicleQuery(company_id=own.company_id)
    rest = await listing(member(own), of_own, after=first.next_after, limit=2)
    every = await listing(MASTER, VehicleQuery(), after=None, limit=10)
    of_foreign = VehicleQuery(company_id=foreign.company_id)
    one = await listing(MASTER, of_foreign, after=None, limit=10)

    assert [*first.vehicles, *rest.vehicles] == ours
    assert rest.next_after is None
    assert every.vehicles == [*ours, theirs]
    assert one.vehicles == [theirs]


async def test_vehicles_are_found_in_their_company_alone(fakes: CompaniesOnFakes) -> None:
    """Neither a member nor another service finds a vehicle under the wrong company."""
    own, foreign = await have(fakes, "Own"), await have(fakes, "Foreign")
    vehicle = await fakes.vehicles.create_vehicle(MASTER, NewVehicle(own.company_id, "AA01"))

    assert await fakes.vehicles.get_vehicle_of(own.company_id, vehicle.vehicle_id) == vehicle
    with pytest.raises(VehicleNotFound):
        await fakes.vehicles.get_vehicle_of(foreign.company_id, vehicle.vehicle_id)
    for vehicle_id in (vehicle.vehicle_id, uuid.uuid4()):
        with pytest.raises(VehicleNotFound) as refusal:
            await fakes.vehicles.get_vehicle(member(foreign), vehicle_id)
        assert refusal.value.metadata == {"vehicle_id": str(vehicle_id)}
