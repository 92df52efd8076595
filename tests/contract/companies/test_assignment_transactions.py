"""What every store of assignments and people promises, in memory and in PostgreSQL alike."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.chassis.identity import Role, TenantScope
from services.chassis.ids import new_id
from services.companies.domain.assignments import AssignmentQuery, Duty
from services.companies.domain.dashboards import FleetFigures
from services.companies.domain.fleet_errors import (
    AssignmentNotFound,
    PersonHasVehicle,
    VehicleHasDriver,
)
from services.companies.domain.teams import (
    MembershipQuery,
)
from services.companies.domain.vehicle_lists import VehicleQuery
from services.companies.domain.vehicles import VehicleStatus, VehicleType
from services.companies.ports.store import Transactions
from tests.contract.companies.fleets import (
    LATER,
    NOW,
    assignment,
    begun,
    done,
    membership,
    new_scope,
    person,
    team,
    vehicle,
)


async def test_assignments_exclude_one_another(
    transactions: Transactions, scope: TenantScope
) -> None:
    """A vehicle has one driver and many helpers, and a person is on one vehicle."""
    first, second = vehicle(scope), vehicle(scope, "AA02")
    driver, helper = person(scope), person(scope, Role.HELPER)
    made = [assignment(first, one) for one in (driver, helper, person(scope, Role.HELPER))]
    for one in made:
        await begun(transactions, scope, one)

    another = assignment(first, person(scope))
    with pytest.raises(VehicleHasDriver):
        await done(transactions, lambda work: work.assignments.add(scope, another))
    for who in (driver, helper):
        twice = assignment(second, who)
        with pytest.raises(PersonHasVehicle):
            await begun(transactions, scope, twice)
    async with transactions.begin() as work:
        on_first = await work.assignments.current_for_change(scope, first.vehicle_id, None)
        assert on_first == made
        of_helper = await work.assignments.current_for_change(
            scope, second.vehicle_id, helper.user_id
        )
        assert of_helper == [made[1]]
        assert await work.assignments.is_on(scope, first.vehicle_id, driver.user_id)
        assert not await work.assignments.is_on(scope, second.vehicle_id, driver.user_id)


async def test_assignments_end_once(transactions: Transactions, scope: TenantScope) -> None:
    """An end is kept, frees the vehicle and the person, and is nobody else's to set."""
    car, driver = vehicle(scope), person(scope)
    made = assignment(car, driver)
    ended, stranger = made.ended(LATER), TenantScope.company(new_id())
    await done(
        transactions,
        lambda work: work.assignments.add(scope, made),
        lambda work: work.assignments.end(stranger, ended),
    )

    async with transactions.begin() as work:
        assert await work.assignments.get_for_change(scope, made.assignment_id) == made
        with pytest.raises(AssignmentNotFound):
            await work.assignments.get_for_change(stranger, made.assignment_id)
        await work.assignments.end(scope, ended)
        await work.assignments.end(scope, made.ended(NOW))
        assert await work.assignments.get_for_change(scope, made.assignment_id) == ended
        assert not await work.assignments.current_for_change(scope, car.vehicle_id, None)
        again = assignment(car, driver)
        await work.assignments.add(scope, again)
    of_car = AssignmentQuery(vehicle_id=car.vehicle_id)
    async with transactions.begin() as work:
        assert await work.assignments.list_before(scope, of_car, None, 10) == [again, ended]
        assert await work.assignments.list_before(scope, of_car, again.assignment_id, 10) == [ended]
        current = replace(of_car, current_only=True)
        assert await work.assignments.list_before(scope, current, None, 10) == [again]
        assert not await work.assignments.list_before(stranger, of_car, None, 10)


async def test_vehicles_of_a_person_are_found(
    transactions: Transactions, scope: TenantScope
) -> None:
    """A list can be limited to the vehicle that somebody is on."""
    own, other, driver = vehicle(scope), vehicle(scope, "AA02"), person(scope)
    await done(
        transactions,
        lambda work: work.vehicles.add(scope, own),
        lambda work: work.vehicles.add(scope, other),
        lambda work: work.assignments.add(scope, assignment(own, driver)),
    )

    async with transactions.begin() as work:
        query = VehicleQuery(assigned_to=driver.user_id)
        assert await work.vehicles.list_after(scope, query, None, 10) == [own]


async def test_the_newest_of_people_is_kept(transactions: Transactions, scope: TenantScope) -> None:
    """Older news change nothing, newer ones do, and whoever is forgotten is unknown."""
    first = person(scope)
    third = replace(first, role=Role.HELPER, active=False, version=3)

    async with transactions.begin() as work:
        assert await work.people.keep(scope, first) == first
        assert await work.people.keep(scope, third) == third
    async with transactions.begin() as work:
        assert await work.people.keep(scope, replace(first, version=2)) == third
        await work.people.forget(scope, first.user_id)
    async with transactions.begin() as work:
        assert await work.people.keep(scope, first) == first


async def test_whoever_is_erased_leaves_times_alone(
    transactions: Transactions, scope: TenantScope
) -> None:
    """Times of somebody who was forgotten are nobody's, and those of others stay theirs."""
    north, car = team(scope), vehicle(scope)
    gone, other = person(scope), person(scope, Role.HELPER)
    membership_of = membership(north, gone.user_id).ended(LATER)
    assignments = [assignment(car, gone).ended(LATER), assignment(car, other)]
    await done(
        transactions,
        lambda work: work.memberships.add(scope, membership_of),
        lambda work: work.assignments.add(scope, assignments[0]),
        lambda work: work.assignments.add(scope, assignments[1]),
        lambda work: work.memberships.forget_person(scope, gone.user_id),
        lambda work: work.assignments.forget_person(scope, gone.user_id),
    )

    async with transactions.begin() as work:
        everything = await work.assignments.list_before(scope, AssignmentQuery(), None, 10)
        assert everything == [assignments[1], replace(assignments[0], user_id=None)]
        memberships = await work.memberships.list_before(scope, MembershipQuery(), None, 10)
        assert memberships == [replace(membership_of, user_id=None)]


async def test_events_are_taken_in_once(transactions: Transactions) -> None:
    """The second delivery of an event is known as such, by each consumer apart."""
    event_id = new_id()

    async with transactions.begin() as work:
        assert await work.inbox.first_delivery("one", event_id)
        assert await work.inbox.first_delivery("two", event_id)
    async with transactions.begin() as work:
        assert not await work.inbox.first_delivery("one", event_id)


async def test_numbers_are_of_one_company(transactions: Transactions, scope: TenantScope) -> None:
    """Everything is counted that dashboards show, and nothing of others."""
    other, north = await new_scope(transactions), team(scope)
    driven = vehicle(scope, type=VehicleType.VAN, team_id=north.team_id)
    idle = vehicle(scope, "AA02", type=VehicleType.VAN)
    broken = vehicle(scope, "AA03", status=VehicleStatus.IN_MAINTENANCE)
    retired = vehicle(scope, "AA04", status=VehicleStatus.RETIRED)
    foreign, driver = vehicle(other), person(scope)
    await done(
        transactions,
        lambda work: work.teams.add(scope, north),
        lambda work: work.vehicles.add(scope, driven),
        lambda work: work.vehicles.add(scope, idle),
        lambda work: work.vehicles.add(scope, broken),
        lambda work: work.vehicles.add(scope, retired),
        lambda work: work.vehicles.add(other, foreign),
        lambda work: work.assignments.add(scope, assignment(driven, driver)),
        lambda work: work.assignments.add(scope, assignment(broken, person(scope))),
        lambda work: work.assignments.add(scope, assignment(driven, person(scope, Role.HELPER))),
        lambda work: work.assignments.add(other, assignment(foreign, person(other))),
        lambda work: work.memberships.add(scope, membership(north, driver.user_id)),
        lambda work: work.memberships.add(scope, membership(north, new_id()).ended(LATER)),
    )

    async with transactions.begin() as work:
        figures = await work.fleet_census.count(scope, NOW)
        later = await work.fleet_census.count(scope, NOW + timedelta(seconds=1))
        nobody = await work.fleet_census.count(TenantScope.company(new_id()), NOW)

    assert figures == FleetFigures(
        vehicles_by_status={
            VehicleStatus.ACTIVE: 2,
            VehicleStatus.IN_MAINTENANCE: 1,
            VehicleStatus.RETIRED: 1,
        },
        vehicles_by_type={VehicleType.VAN: 2, VehicleType.OTHER: 2},
        active_without_driver=1,
        unretired_without_team=2,
        teams=1,
        team_members=1,
        drivers_assigned=2,
        helpers_assigned=1,
        assignments_started=3,
    )
    assert later == replace(figures, assignments_started=0)
    assert nobody == FleetFigures()


async def test_everything_of_a_company_is_erased(
    transactions: Transactions, scope: TenantScope
) -> None:
    """Bit by bit nothing is left of one company, and all of another."""
    other = await new_scope(transactions)
    for each in (scope, other):
        north, who = team(each), person(each)
        car = vehicle(each, team_id=north.team_id)
        async with transactions.begin() as work:
            await work.teams.add(each, north)
            await work.vehicles.add(each, car)
            await work.people.keep(each, who)
            await work.assignments.add(each, assignment(car, who))
            await work.memberships.add(each, membership(north, who.user_id))

    erased = 0
    while count := await _erased_some(transactions, scope):
        erased += count

    assert erased == 5
    async with transactions.begin() as work:
        assert await work.fleet_census.count(scope, NOW) == FleetFigures()
        left = await work.fleet_census.count(other, NOW)
    assert (left.vehicles, left.teams, left.team_members, left.drivers_assigned) == (1, 1, 1, 1)


async def _erased_some(transactions: Transactions, scope: TenantScope) -> int:
    async with transactions.begin() as work:
        return await work.holdings.erase_some(scope, 1)


async def test_simultaneous_drivers_exclude_one_another(
    transactions: Transactions, scope: TenantScope
) -> None:
    """Of several who begin at once, without any lock, one does."""
    car = vehicle(scope)

    async def begin() -> Duty | None:
        try:
            async with transactions.begin() as work:
                await work.assignments.add(scope, assignment(car, person(scope)))
                await asyncio.sleep(0)
        except VehicleHasDriver:
            return None
        return Duty.DRIVER

    outcomes = await asyncio.gather(*(begin() for _ in range(5)))
    assert sorted(map(str, outcomes)) == ["None"] * 4 + ["driver"]
