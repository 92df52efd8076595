"""Teams, and how people come into them, change them and leave them."""

import uuid

import pytest

from services.chassis.errors import EditConflict, InvalidArgument, RequestIdReused, Unavailable
from services.chassis.identity import Caller, Role
from services.companies.domain.companies import Company, NewCompany
from services.companies.domain.errors import CompanyNotFound, CompanyRequired
from services.companies.domain.fleet_errors import (
    MembershipNotFound,
    PersonHasTeam,
    TeamNameTaken,
    TeamNotFound,
    UserDeactivated,
    UserNotFound,
)
from services.companies.domain.people import Person
from services.companies.domain.teams import (
    Membership,
    MembershipQuery,
    NewTeam,
    Team,
    TeamEdit,
    TeamRole,
)
from services.companies.domain.vehicles import NewVehicle
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


async def have(fakes: CompaniesOnFakes, manager: Caller, name: str = "North") -> Team:
    """Have a team."""
    return await fakes.teams.create_team(manager, NewTeam(None, name))


async def history(
    fakes: CompaniesOnFakes,
    manager: Caller,
    *,
    team_id: uuid.UUID | None = None,
    user_id: uuid.UUID | None = None,
) -> list[Membership]:
    """Read the history, newest first."""
    query = MembershipQuery(team_id=team_id, user_id=user_id)
    page = await fakes.memberships.list_memberships(manager, query, before=None, limit=10)
    return list(page.items)


async def test_teams_are_named_once_in_a_company(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """A name is taken in any case, and free in another company."""
    north, south = await have(fakes, manager), await have(fakes, manager, " South ")
    other = await fakes.companies.create_company(MASTER, NewCompany("Other"))

    await fakes.teams.create_team(MASTER, NewTeam(other.company_id, "North"))
    with pytest.raises(TeamNameTaken):
        await have(fakes, manager, "NORTH")
    with pytest.raises(TeamNameTaken):
        await fakes.teams.update_team(manager, south.team_id, TeamEdit(display_name="north"))
    renamed = await fakes.teams.update_team(manager, north.team_id, TeamEdit(display_name="NORTH"))

    assert (south.display_name, renamed.display_name) == ("South", "NORTH")
    assert renamed.version == 2
    page = await fakes.teams.list_teams(manager, company_id=None, after=None, limit=1)
    rest = await fakes.teams.list_teams(manager, company_id=None, after=page.next_after, limit=1)
    assert [*page.items, *rest.items] == [renamed, south]
    assert rest.next_after is None


async def test_teams_are_a_companys(fakes: CompaniesOnFakes, manager: Caller) -> None:
    """A team needs a company in reach and a name; elsewhere it does not exist."""
    team = await have(fakes, manager)
    stranger = caller_with(Role.MANAGER, uuid.uuid4())

    with pytest.raises(CompanyRequired):
        await fakes.teams.create_team(MASTER, NewTeam(None, "X"))
    with pytest.raises(CompanyNotFound):
        await fakes.teams.create_team(manager, NewTeam(uuid.uuid4(), "X"))
    with pytest.raises(InvalidArgument):
        await have(fakes, manager, " ")
    with pytest.raises(TeamNotFound):
        await fakes.teams.get_team(stranger, team.team_id)
    with pytest.raises(TeamNotFound):
        await fakes.teams.delete_team(stranger, team.team_id, "")
    assert await fakes.teams.get_team(manager, team.team_id) == team


async def test_repeated_requests_make_one_team(fakes: CompaniesOnFakes, manager: Caller) -> None:
    """A retry returns the team; other content under the same id is refused."""
    request_id = uuid.uuid4()
    made = await fakes.teams.create_team(manager, NewTeam(None, "North", request_id))

    assert await fakes.teams.create_team(manager, NewTeam(None, "North", request_id)) == made
    with pytest.raises(RequestIdReused):
        await fakes.teams.create_team(manager, NewTeam(None, "South", request_id))


async def test_people_join_change_and_leave(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Joining again changes nothing, another role begins another time, and all of it is kept."""
    team, person = await have(fakes, manager), fakes.have_person(company)
    join = fakes.memberships.add_member

    member = await join(manager, team.team_id, person.user_id, TeamRole.MEMBER)
    same = await join(manager, team.team_id, person.user_id, TeamRole.MEMBER)
    lead = await join(manager, team.team_id, person.user_id, TeamRole.LEAD)
    left = await fakes.memberships.remove_member(manager, team.team_id, person.user_id)

    assert same == member
    assert (lead.role, lead.team_name, lead.end_time) == (TeamRole.LEAD, "North", None)
    assert left.end_time is not None
    ended = member.ended(lead.start_time)
    assert await history(fakes, manager, team_id=team.team_id) == [left, ended]
    assert await history(fakes, manager, user_id=person.user_id) == [left, ended]
    with pytest.raises(MembershipNotFound):
        await fakes.memberships.remove_member(manager, team.team_id, person.user_id)


async def test_a_person_is_in_one_team_at_a_time(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Whoever is in another team is transferred: out of one and into the other at one moment."""
    north, south = await have(fakes, manager), await have(fakes, manager, "South")
    person = fakes.have_person(company, Role.MANAGER)
    await fakes.memberships.add_member(manager, north.team_id, person.user_id, TeamRole.LEAD)

    with pytest.raises(PersonHasTeam) as refusal:
        await fakes.memberships.add_member(manager, south.team_id, person.user_id, TeamRole.LEAD)
    moved = await fakes.memberships.transfer_member(
        manager, person.user_id, from_id=north.team_id, to_id=south.team_id, role=None
    )

    assert refusal.value.metadata["team_id"] == str(north.team_id)
    assert (moved.team_id, moved.role) == (south.team_id, TeamRole.LEAD)
    (before,) = await history(fakes, manager, team_id=north.team_id)
    assert before.end_time == moved.start_time
    with pytest.raises(MembershipNotFound):
        await fakes.memberships.transfer_member(
            manager, person.user_id, from_id=north.team_id, to_id=south.team_id, role=None
        )


async def test_transfers_stay_within_a_company(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Even a master moves nobody into another company's team."""
    team, person = await have(fakes, manager), fakes.have_person(company)
    other = await fakes.companies.create_company(MASTER, NewCompany("Other"))
    foreign = await fakes.teams.create_team(MASTER, NewTeam(other.company_id, "South"))
    await fakes.memberships.add_member(manager, team.team_id, person.user_id, TeamRole.MEMBER)

    for caller in (MASTER, manager):
        with pytest.raises(TeamNotFound) as refusal:
            await fakes.memberships.transfer_member(
                caller, person.user_id, from_id=team.team_id, to_id=foreign.team_id, role=None
            )
        assert refusal.value.metadata == {"team_id": str(foreign.team_id)}


async def test_only_people_of_the_company_with_access_join(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Users is asked: strangers and those without access join nothing."""
    team = await have(fakes, manager)
    gone = fakes.have_person(company)
    fakes.directory.people[gone.user_id] = Person(
        user_id=gone.user_id,
        company_id=company.company_id,
        role=Role.DRIVER,
        active=False,
        version=2,
    )
    other = await fakes.companies.create_company(MASTER, NewCompany("Other"))
    join = fakes.memberships.add_member

    with pytest.raises(UserDeactivated):
        await join(manager, team.team_id, gone.user_id, TeamRole.MEMBER)
    for user_id in (fakes.have_person(other).user_id, uuid.uuid4()):
        with pytest.raises(UserNotFound):
            await join(manager, team.team_id, user_id, TeamRole.MEMBER)
    fakes.directory.away = True
    with pytest.raises(Unavailable):
        await join(manager, team.team_id, gone.user_id, TeamRole.MEMBER)
    assert await history(fakes, manager) == []


async def test_a_team_that_is_deleted_leaves_its_history(
    fakes: CompaniesOnFakes, company: Company, manager: Caller
) -> None:
    """Members and vehicles are in no team afterwards; who was in it can be read."""
    team, person = await have(fakes, manager), fakes.have_person(company)
    new = NewVehicle(None, "AA01", team_id=team.team_id)
    vehicle = await fakes.vehicles.create_vehicle(manager, new)
    await fakes.memberships.add_member(manager, team.team_id, person.user_id, TeamRole.MEMBER)

    with pytest.raises(EditConflict):
        await fakes.teams.delete_team(manager, team.team_id, "7")
    await fakes.teams.delete_team(manager, team.team_id, team.etag)

    freed = await fakes.vehicles.get_vehicle(manager, vehicle.vehicle_id)
    assert (freed.team_id, freed.version) == (None, 2)
    (membership,) = await history(fakes, manager, team_id=team.team_id)
    assert (membership.team_name, membership.user_id) == ("North", person.user_id)
    assert membership.end_time is not None
    with pytest.raises(TeamNotFound):
        await history(fakes, manager, team_id=uuid.uuid4())
