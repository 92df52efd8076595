"""Who goes into which team, and who was."""

import uuid

from services.chassis.audit.entries import note_resource
from services.chassis.identity import Caller, TenantScope
from services.companies.domain.fleet_errors import (
    MembershipNotFound,
    PersonHasTeam,
    TeamNotFound,
)
from services.companies.domain.people import Person
from services.companies.domain.teams import Membership, MembershipQuery, Team, TeamRole
from services.companies.ports.people import PersonDirectory
from services.companies.ports.store import Clock, IdSource, Transactions, UnitOfWork
from services.companies.usecases.pages import Page, page_of
from services.companies.usecases.reach import scope_of_list


class MembershipUseCases:
    """The operations on the members of teams."""

    def __init__(
        self,
        transactions: Transactions,
        people: PersonDirectory,
        clock: Clock,
        new_id: IdSource,
    ) -> None:
        self._transactions = transactions
        self._people = people
        self._clock = clock
        self._new_id = new_id

    async def add_member(
        self, caller: Caller, team_id: uuid.UUID, user_id: uuid.UUID, role: TeamRole
    ) -> Membership:
        """Put a person into a team; whoever is in it goes on with the role."""
        person = await self._person_for(caller, team_id, user_id)
        async with self._transactions.begin() as work:
            team = await work.teams.get_for_change(caller.scope, team_id)
            await _keep_active(work, person)
            current = await work.memberships.current_of(caller.scope, user_id)
            if current is not None and current.team_id != team_id:
                raise PersonHasTeam(user_id, current.team_id)
            if current is not None and current.role is role:
                return current
            return await self._begin(work, team, user_id, role, after=current)

    async def remove_member(
        self, caller: Caller, team_id: uuid.UUID, user_id: uuid.UUID
    ) -> Membership:
        """Take a person out of a team."""
        async with self._transactions.begin() as work:
            team = await work.teams.get_for_change(caller.scope, team_id)
            note_resource("team", team_id, team.company_id)
            current = await _membership_in(work, caller, team_id, user_id)
            ended = current.ended(self._clock())
            await work.memberships.end(caller.scope, ended)
        return ended

    async def transfer_member(
        self,
        caller: Caller,
        user_id: uuid.UUID,
        *,
        from_id: uuid.UUID,
        to_id: uuid.UUID,
        role: TeamRole | None,
    ) -> Membership:
        """Move a person from one team to another, with the role that they had unless given."""
        person = await self._person_for(caller, from_id, user_id)
        async with self._transactions.begin() as work:
            # In the order of their ids, so that a transfer the other way round waits.
            first, second = sorted((from_id, to_id))
            locked = {
                first: await work.teams.get_for_change(caller.scope, first),
                second: await work.teams.get_for_change(caller.scope, second),
            }
            if locked[to_id].company_id != locked[from_id].company_id:
                raise TeamNotFound(to_id)
            await _keep_active(work, person)
            current = await _membership_in(work, caller, from_id, user_id)
            return await self._begin(
                work, locked[to_id], user_id, role or current.role, after=current
            )

    async def list_memberships(
        self, caller: Caller, query: MembershipQuery, *, before: uuid.UUID | None, limit: int
    ) -> Page[Membership]:
        """Return a page of the memberships in the caller's reach, newest first."""
        async with self._transactions.begin() as work:
            scope = await scope_of_list(work, caller, query.company_id)
            await _require_known_team(work, scope, query.team_id)
            found = await work.memberships.list_before(scope, query, before, limit + 1)
        return page_of(found, limit, lambda membership: membership.membership_id)

    async def _person_for(self, caller: Caller, team_id: uuid.UUID, user_id: uuid.UUID) -> Person:
        """Ask about a person of a team's company, before the transaction that needs to know."""
        async with self._transactions.begin() as work:
            team = await work.teams.get(caller.scope, team_id)
        note_resource("team", team_id, team.company_id)
        return await self._people.get(team.company_id, user_id)

    async def _begin(
        self,
        work: UnitOfWork,
        team: Team,
        user_id: uuid.UUID,
        role: TeamRole,
        *,
        after: Membership | None,
    ) -> Membership:
        now = self._clock()
        scope = TenantScope.company(team.company_id)
        if after is not None:
            await work.memberships.end(scope, after.ended(now))
        begun = Membership.begin(team, user_id, role, membership_id=self._new_id(), now=now)
        await work.memberships.add(scope, begun)
        return begun


async def _keep_active(work: UnitOfWork, person: Person) -> None:
    # What users announces meanwhile waits for this transaction, or was noted before it.
    newest = await work.people.keep(TenantScope.company(person.company_id), person)
    newest.require_active()


async def _membership_in(
    work: UnitOfWork, caller: Caller, team_id: uuid.UUID, user_id: uuid.UUID
) -> Membership:
    current = await work.memberships.current_of(caller.scope, user_id)
    if current is None or current.team_id != team_id:
        raise MembershipNotFound(team_id, user_id)
    return current


async def _require_known_team(
    work: UnitOfWork, scope: TenantScope, team_id: uuid.UUID | None
) -> None:
    """Make sure that there is a team or that there was one with members."""
    if team_id is None:
        return
    of_team = MembershipQuery(team_id=team_id)
    if not await work.memberships.list_before(scope, of_team, None, 1):
        await work.teams.get(scope, team_id)
