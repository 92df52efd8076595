"""What every store of teams and memberships promises, in memory and in PostgreSQL alike."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.chassis.errors import EditConflict, RequestIdReused
from services.chassis.identity import CreationRequest, TenantScope
from services.chassis.ids import new_id
from services.companies.domain.errors import CompanyNotFound
from services.companies.domain.fleet_errors import (
    PersonHasTeam,
    TeamNameTaken,
    TeamNotFound,
)
from services.companies.domain.teams import (
    MembershipQuery,
    TeamEdit,
)
from services.companies.domain.vehicle_lists import VehicleQuery
from services.companies.ports.store import Transactions
from tests.contract.companies.fleets import (
    EVERYTHING,
    LATER,
    NOW,
    added,
    done,
    membership,
    new_scope,
    team,
    vehicle,
)


async def test_teams_are_read_as_they_were_stored(
    transactions: Transactions, scope: TenantScope
) -> None:
    """Nothing is lost, lists go on after an id, and others see nothing."""
    made = [team(scope, name) for name in ("Ñ 車", "B", "C")]
    async with transactions.begin() as work:
        for one in made:
            await work.teams.add(scope, one)
    stranger = TenantScope.company(new_id())

    async with transactions.begin() as work:
        assert await work.teams.get(scope, made[0].team_id) == made[0]
        assert await work.teams.get_for_change(EVERYTHING, made[0].team_id) == made[0]
        assert await work.teams.list_after(scope, None, 2) == made[:2]
        assert await work.teams.list_after(scope, made[0].team_id, 10) == made[1:]
        assert not await work.teams.list_after(stranger, None, 10)
        with pytest.raises(TeamNotFound):
            await work.teams.get(stranger, made[0].team_id)
        with pytest.raises(CompanyNotFound):
            await work.teams.add(stranger, team(scope, "D"))


async def test_team_names_and_versions_are_kept(
    transactions: Transactions, scope: TenantScope
) -> None:
    """A name is taken once in a company in any case, and versions follow one another."""
    north, south = team(scope), team(scope, "South")
    other = await new_scope(transactions)
    await done(
        transactions,
        lambda work: work.teams.add(scope, north),
        lambda work: work.teams.add(scope, south),
        lambda work: work.teams.add(other, team(other)),
    )
    renamed = south.edited(TeamEdit(display_name="East"), LATER)

    with pytest.raises(TeamNameTaken):
        await done(transactions, lambda work: work.teams.add(scope, team(scope, "NORTH")))
    taken = south.edited(TeamEdit(display_name="north"), LATER)
    with pytest.raises(TeamNameTaken):
        await done(transactions, lambda work: work.teams.save(scope, taken))
    await done(transactions, lambda work: work.teams.save(scope, renamed))
    with pytest.raises(EditConflict):
        await done(transactions, lambda work: work.teams.save(scope, renamed))
    async with transactions.begin() as work:
        assert await work.teams.get(scope, south.team_id) == renamed


async def test_requests_for_teams_are_remembered(
    transactions: Transactions, scope: TenantScope
) -> None:
    """A request finds what it made, until that is removed."""
    made = team(scope)
    request = CreationRequest.of(new_id(), new_id(), made.asked_for)
    await done(transactions, lambda work: work.teams.add(scope, made, request))

    async with transactions.begin() as work:
        assert await work.teams.made_by(scope, request) == made
        assert await work.teams.made_by(TenantScope.company(new_id()), request) is None
        with pytest.raises(RequestIdReused):
            await work.teams.made_by(scope, replace(request, digest=b"another wish"))
    await done(transactions, lambda work: work.teams.remove(scope, made.team_id))
    async with transactions.begin() as work:
        assert await work.teams.made_by(scope, request) is None


async def test_vehicles_are_in_teams_that_exist(
    transactions: Transactions, scope: TenantScope
) -> None:
    """A vehicle is in no team that isn't there or is another company's, and leaves when told."""
    north, other = team(scope), await new_scope(transactions)
    foreign = team(other)
    await done(
        transactions,
        lambda work: work.teams.add(scope, north),
        lambda work: work.teams.add(other, foreign),
    )
    member = vehicle(scope, team_id=north.team_id)

    for team_id in (foreign.team_id, new_id()):
        stray = vehicle(scope, "BB01", team_id=team_id)
        with pytest.raises(TeamNotFound):
            await added(transactions, scope, stray)
    await done(transactions, lambda work: work.vehicles.add(scope, member))
    of_team = VehicleQuery(team_id=north.team_id)
    async with transactions.begin() as work:
        assert await work.vehicles.list_after(scope, of_team, None, 10) == [member]
        await work.vehicles.leave_team(scope, north.team_id, LATER)
        await work.teams.remove(scope, north.team_id)
    async with transactions.begin() as work:
        left = replace(member, team_id=None, version=2, update_time=LATER)
        assert await work.vehicles.get(scope, member.vehicle_id) == left


async def test_memberships_begin_and_end(transactions: Transactions, scope: TenantScope) -> None:
    """A person is in one team; what has ended stays as it was, and others see nothing."""
    north, who = team(scope), new_id()
    first, second = membership(north, who), membership(north, who)
    ended = first.ended(LATER)
    await done(transactions, lambda work: work.memberships.add(scope, first))

    with pytest.raises(PersonHasTeam):
        await done(transactions, lambda work: work.memberships.add(scope, second))
    async with transactions.begin() as work:
        assert await work.memberships.current_of(scope, who) == first
        assert await work.memberships.current_of(TenantScope.company(new_id()), who) is None
        await work.memberships.end(TenantScope.company(new_id()), ended)
        assert await work.memberships.current_of(scope, who) == first
        await work.memberships.end(scope, ended)
        await work.memberships.end(scope, first.ended(NOW))
        assert await work.memberships.current_of(scope, who) is None
        await work.memberships.add(scope, second)
        await work.memberships.end_of_team(scope, north.team_id, LATER)
    of_who = MembershipQuery(user_id=who)
    async with transactions.begin() as work:
        history = await work.memberships.list_before(scope, of_who, None, 10)
        assert history == [second.ended(LATER), ended]
        older = await work.memberships.list_before(scope, of_who, second.membership_id, 10)
        assert older == [ended]
        current = replace(of_who, current_only=True)
        assert not await work.memberships.list_before(scope, current, None, 10)
        assert not await work.memberships.list_before(
            scope, MembershipQuery(team_id=new_id()), None, 10
        )


async def test_times_in_teams_never_end_before_they_begin(
    transactions: Transactions, scope: TenantScope
) -> None:
    """The replica that ends them may have a clock that is behind."""
    north, behind = team(scope), NOW - timedelta(seconds=1)
    first, second = membership(north, new_id()), membership(north, new_id())
    await done(
        transactions,
        lambda work: work.memberships.add(scope, first),
        lambda work: work.memberships.add(scope, second),
        lambda work: work.memberships.end(scope, first.ended(behind)),
        lambda work: work.memberships.end_of_team(scope, north.team_id, behind),
    )

    async with transactions.begin() as work:
        of_team = MembershipQuery(team_id=north.team_id)
        history = await work.memberships.list_before(scope, of_team, None, 10)
    assert [one.end_time for one in history] == [NOW, NOW]
