"""Who goes on which vehicle, who doesn't, and what is remembered of it."""

import asyncio
import uuid
from dataclasses import replace

import pytest

from services.chassis.errors import Unavailable
from services.chassis.identity import Caller, Role
from services.companies.domain.assignments import Assignment, AssignmentQuery, Duty
from services.companies.domain.companies import Company, NewCompany
from services.companies.domain.errors import VehicleNotFound
from services.companies.domain.fleet_errors import (
    AssignmentNotFound,
    PersonHasVehicle,
    PersonRoleUnfit,
    UserDeactivated,
    UserNotFound,
    VehicleHasDriver,
    VehicleRetired,
)
from services.companies.domain.vehicles import NewVehicle, Vehicle, VehicleEdit, VehicleStatus
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


async def have(fakes: CompaniesOnFakes, manager: Caller, plate: str = "AA01") -> Vehicle:
    """Have a vehicle."""
    return await fakes.vehicles.create_vehicle(manager, NewVehicle(None, plate))


async def assigned(
    fakes: CompaniesOnFakes,
    manager: Caller,
    vehicle: Vehicle,
    user_id: uuid.UUID,
    *,
    replacing: bool = False,
) -> Assignment:
    """Put somebody on a vehicle."""
    return await fakes.assignments.assign_person(
        manager, vehicle.vehicle_id, user_id, replace=replacing
    )


async def history(
    fakes: CompaniesOnFakes, manager: Caller, query: AssignmentQuery
) -> list[Assignment]:
    """Read the history, newest first."""
    page = await fakes.assignments.list_assignments(manager, query, before=None, limit=10)
    return list(page.items)


async def test_roles_decide_about_duties(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Drivers drive, helpers help, and others go on no vehicle."""
    vehicle = await have(fakes, manager)
    driver, helper = fakes.have_person(company), fakes.have_person(company, Role.HELPER)
    another = fakes.have_person(company, Role.HELPER)

    made = [
        await assigned(fakes, manager, vehicle, one.user_id) for one in (driver, helper, another)
    ]

    assert [one.duty for one in made] == [Duty.DRIVER, Duty.HELPER, Duty.HELPER]
    assert made[0].plate == "AA01"
    for role in (Role.MANAGER, Role.COMPANY_ADMIN):
        person = fakes.have_person(company, role)
        with pytest.raises(PersonRoleUnfit) as refusal:
            await assigned(fakes, manager, vehicle, person.user_id)
        assert refusal.value.metadata == {"user_id": str(person.user_id), "role": role.value}


async def test_assigning_again_changes_nothing(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Whoever is on a vehicle already goes on with the same assignment, replaced or not."""
    vehicle, driver = await have(fakes, manager), fakes.have_person(company)
    made = await assigned(fakes, manager, vehicle, driver.user_id)

    assert await assigned(fakes, manager, vehicle, driver.user_id) == made
    assert await assigned(fakes, manager, vehicle, driver.user_id, replacing=True) == made
    assert await history(fakes, manager, AssignmentQuery()) == [made]


async def test_a_vehicle_has_one_driver(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Another driver is refused with the first one's id, or replaces them on request."""
    vehicle = await have(fakes, manager)
    first, second = fakes.have_person(company), fakes.have_person(company)
    before = await assigned(fakes, manager, vehicle, first.user_id)

    with pytest.raises(VehicleHasDriver) as refusal:
        await assigned(fakes, manager, vehicle, second.user_id)
    after = await assigned(fakes, manager, vehicle, second.user_id, replacing=True)

    assert refusal.value.metadata == {
        "vehicle_id": str(vehicle.vehicle_id),
        "user_id": str(first.user_id),
    }
    ended = before.ended(after.start_time)
    of_vehicle = AssignmentQuery(vehicle_id=vehicle.vehicle_id)
    assert await history(fakes, manager, of_vehicle) == [after, ended]
    assert await history(fakes, manager, replace(of_vehicle, current_only=True)) == [after]


async def test_a_person_is_on_one_vehicle(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Somebody who is on another vehicle is refused with its id, or moves on request."""
    first, second = await have(fakes, manager), await have(fakes, manager, "AA02")
    driver = fakes.have_person(company)
    await assigned(fakes, manager, first, driver.user_id)

    with pytest.raises(PersonHasVehicle) as refusal:
        await assigned(fakes, manager, second, driver.user_id)
    moved = await assigned(fakes, manager, second, driver.user_id, replacing=True)

    assert refusal.value.metadata == {
        "user_id": str(driver.user_id),
        "vehicle_id": str(first.vehicle_id),
    }
    of_driver = AssignmentQuery(user_id=driver.user_id, current_only=True)
    assert await history(fakes, manager, of_driver) == [moved]


async def test_only_people_with_access_go_on_vehicles_in_use(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Retired vehicles, people without access, strangers: refused, each by its name."""
    vehicle, driver = await have(fakes, manager), fakes.have_person(company)
    fakes.directory.people[driver.user_id] = replace(driver, active=False, version=2)
    with pytest.raises(UserDeactivated):
        await assigned(fakes, manager, vehicle, driver.user_id)
    with pytest.raises(UserNotFound):
        await assigned(fakes, manager, vehicle, uuid.uuid4())
    with pytest.raises(VehicleNotFound):
        await assigned(fakes, caller_with(Role.MANAGER, uuid.uuid4()), vehicle, driver.user_id)
    retired = VehicleEdit(status=VehicleStatus.RETIRED)
    await fakes.vehicles.update_vehicle(manager, vehicle.vehicle_id, retired)
    with pytest.raises(VehicleRetired):
        await assigned(fakes, manager, vehicle, fakes.have_person(company).user_id)
    fakes.directory.away = True
    with pytest.raises(Unavailable):
        await assigned(fakes, manager, vehicle, driver.user_id)
    assert await history(fakes, manager, AssignmentQuery()) == []


async def test_newer_news_than_the_answer_counts(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Somebody who was deactivated between the question and the assignment gets none."""
    vehicle, driver = await have(fakes, manager), fakes.have_person(company)
    fakes.transactions.tables.people[driver.user_id] = replace(driver, active=False, version=2)

    with pytest.raises(UserDeactivated):
        await assigned(fakes, manager, vehicle, driver.user_id)


async def test_simultaneous_drivers_leave_one(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Of many who are assigned at once one drives, and the others are told."""
    vehicle = await have(fakes, manager)
    people = [fakes.have_person(company) for _ in range(5)]

    outcomes = await asyncio.gather(
        *(assigned(fakes, manager, vehicle, person.user_id) for person in people),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, Assignment) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, VehicleHasDriver) for outcome in outcomes) == 4


async def test_ended_assignments_stay_as_they_were(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Ending twice keeps the first end; what is another company's does not exist."""
    vehicle, driver = await have(fakes, manager), fakes.have_person(company)
    made = await assigned(fakes, manager, vehicle, driver.user_id)

    ended = await fakes.assignments.end_assignment(manager, made.assignment_id)
    again = await fakes.assignments.end_assignment(manager, made.assignment_id)

    assert ended.end_time is not None
    assert again == ended
    for caller, assignment_id in (
        (caller_with(Role.MANAGER, uuid.uuid4()), made.assignment_id),
        (manager, uuid.uuid4()),
    ):
        with pytest.raises(AssignmentNotFound):
            await fakes.assignments.end_assignment(caller, assignment_id)


async def test_a_vehicle_that_is_deleted_leaves_its_history(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Who drove a vehicle can be read after it is gone, page by page."""
    vehicle = await have(fakes, manager)
    made = []
    for _ in range(3):
        driver = fakes.have_person(company)
        made.append(await assigned(fakes, manager, vehicle, driver.user_id, replacing=True))
    await fakes.assignments.end_assignment(manager, made[-1].assignment_id)
    await fakes.vehicles.delete_vehicle(manager, vehicle.vehicle_id, "")
    query = AssignmentQuery(vehicle_id=vehicle.vehicle_id)

    first = await fakes.assignments.list_assignments(manager, query, before=None, limit=2)
    rest = await fakes.assignments.list_assignments(
        manager, query, before=first.next_after, limit=2
    )

    found = [one.assignment_id for one in (*first.items, *rest.items)]
    assert found == [one.assignment_id for one in reversed(made)]
    with pytest.raises(VehicleNotFound):
        await history(fakes, manager, AssignmentQuery(vehicle_id=uuid.uuid4()))
