"""What is heard of people ends what they no longer may."""

import uuid
from dataclasses import replace

import pytest

from services.chassis.identity import Caller, Role
from services.companies.domain.assignments import Assignment, AssignmentQuery
from services.companies.domain.companies import Company, NewCompany
from services.companies.domain.people import Person, PersonChange
from services.companies.domain.teams import Membership, MembershipQuery, NewTeam, TeamRole
from services.companies.domain.vehicles import NewVehicle
from tests.fixtures.companies_fakes import CompaniesOnFakes
from tests.fixtures.users_fakes import caller_with

MASTER = caller_with(Role.MASTER)


class Crew:
    """A driver who is in a team and on a vehicle, and what is told of them."""

    def __init__(self, fakes: CompaniesOnFakes, company: Company) -> None:
        self.fakes = fakes
        self.manager: Caller = caller_with(Role.MANAGER, company.company_id)
        self.driver: Person = fakes.have_person(company)

    async def join(self) -> None:
        """Put the driver into a team and on a vehicle."""
        team = await self.fakes.teams.create_team(self.manager, NewTeam(None, "North"))
        vehicle = await self.fakes.vehicles.create_vehicle(self.manager, NewVehicle(None, "AA01"))
        user_id = self.driver.user_id
        await self.fakes.memberships.add_member(self.manager, team.team_id, user_id, TeamRole.LEAD)
        await self.fakes.assignments.assign_person(
            self.manager, vehicle.vehicle_id, user_id, replace=False
        )

    async def hear(
        self,
        version: int,
        *,
        role: Role = Role.DRIVER,
        active: bool = True,
        purged: bool = False,
        event_id: uuid.UUID | None = None,
    ) -> None:
        """Hear of the driver."""
        person = replace(self.driver, role=role, active=active, version=version)
        await self.fakes.apply_change(PersonChange(event_id or uuid.uuid4(), person, purged))

    async def standing(self) -> tuple[Assignment, Membership]:
        """Read the driver's only assignment and membership."""
        assignments = await self.fakes.assignments.list_assignments(
            self.manager, AssignmentQuery(), before=None, limit=10
        )
        memberships = await self.fakes.memberships.list_memberships(
            self.manager, MembershipQuery(), before=None, limit=10
        )
        return assignments.items[0], memberships.items[0]


@pytest.fixture
async def crew() -> Crew:
    """A driver at work."""
    fakes = CompaniesOnFakes()
    company = await fakes.companies.create_company(MASTER, NewCompany("Acme"))
    crew = Crew(fakes, company)
    await crew.join()
    return crew


async def test_whoever_loses_access_leaves_everything(crew: Crew) -> None:
    """A deactivated person is on no vehicle and in no team, and comes back to neither."""
    await crew.hear(2, active=False)
    ended = await crew.standing()
    await crew.hear(3)

    assert all(one.end_time for one in ended)
    assert await crew.standing() == ended
    assert [one.user_id for one in ended] == [crew.driver.user_id] * 2


async def test_another_role_ends_the_duty(crew: Crew) -> None:
    """A driver who becomes a helper drives no more, and stays in the team."""
    await crew.hear(2, role=Role.HELPER)

    assignment, membership = await crew.standing()
    assert assignment.end_time
    assert membership.end_time is None


async def test_news_that_change_nothing_here_end_nothing(crew: Crew) -> None:
    """Another name, an old version, an event that came before: everything goes on."""
    event_id = uuid.uuid4()
    await crew.hear(3, event_id=event_id)
    await crew.hear(2, active=False)
    await crew.hear(4, active=False, event_id=event_id)

    assignment, membership = await crew.standing()
    assert assignment.end_time is membership.end_time is None


async def test_nothing_is_left_of_whoever_was_erased(crew: Crew) -> None:
    """Times stay, without whose they were, and the person is forgotten."""
    await crew.hear(2, active=False)
    await crew.hear(3, active=False, purged=True)

    assignment, membership = await crew.standing()
    assert assignment.user_id is membership.user_id is None
    assert assignment.end_time
    assert membership.end_time
    assert not crew.fakes.transactions.tables.people


async def test_an_erased_person_leaves_even_without_warning(crew: Crew) -> None:
    """If only the last event arrives, it does what all of them do."""
    await crew.hear(9, active=False, purged=True)

    assignment, membership = await crew.standing()
    assert assignment.user_id is membership.user_id is None
    assert assignment.end_time
    assert membership.end_time


async def test_people_of_unknown_companies_are_ignored(crew: Crew) -> None:
    """What is heard of a company that isn't there leaves nothing."""
    stranger = replace(crew.driver, user_id=uuid.uuid4(), company_id=uuid.uuid4())

    await crew.fakes.apply_change(PersonChange(uuid.uuid4(), stranger, purged=False))

    assert stranger.user_id not in crew.fakes.transactions.tables.people
