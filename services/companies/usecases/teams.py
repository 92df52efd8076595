"""What can be done with teams."""

import uuid
from dataclasses import replace

from services.chassis.audit.entries import note_resource
from services.chassis.identity import Caller, CreationRequest
from services.companies.domain.teams import NewTeam, Team, TeamEdit
from services.companies.ports.store import Clock, IdSource, Transactions
from services.companies.usecases.pages import Page, page_of
from services.companies.usecases.reach import scope_of_list


class TeamUseCases:
    """The operations on teams."""

    def __init__(self, transactions: Transactions, clock: Clock, new_id: IdSource) -> None:
        self._transactions = transactions
        self._clock = clock
        self._new_id = new_id

    async def create_team(self, caller: Caller, new: NewTeam) -> Team:
        """Add a team, or return the one that an earlier try of the request added."""
        new = replace(new, company_id=new.company_id or caller.company_id)
        team = Team.create(new, team_id=self._new_id(), now=self._clock())
        request = None
        if new.request_id:
            request = CreationRequest.of(caller.principal_id, new.request_id, team.asked_for)
        async with self._transactions.begin() as work:
            # Locked, so that no team outlives a deletion.
            company = await work.companies.get_for_change(caller.scope, team.company_id)
            if request and (made := await work.teams.made_by(caller.scope, request)):
                note_resource("team", made.team_id, made.company_id)
                return made
            note_resource("team", team.team_id, team.company_id)
            company.require_changeable()
            await work.teams.add(caller.scope, team, request)
        return team

    async def get_team(self, caller: Caller, team_id: uuid.UUID) -> Team:
        """Return a team in the caller's reach."""
        async with self._transactions.begin() as work:
            return await work.teams.get(caller.scope, team_id)

    async def list_teams(
        self,
        caller: Caller,
        *,
        company_id: uuid.UUID | None,
        after: uuid.UUID | None,
        limit: int,
    ) -> Page[Team]:
        """Return a page of the teams in the caller's reach, oldest first."""
        async with self._transactions.begin() as work:
            scope = await scope_of_list(work, caller, company_id)
            found = await work.teams.list_after(scope, after, limit + 1)
        return page_of(found, limit, lambda team: team.team_id)

    async def update_team(self, caller: Caller, team_id: uuid.UUID, edit: TeamEdit) -> Team:
        """Change a team's name."""
        async with self._transactions.begin() as work:
            team = await work.teams.get_for_change(caller.scope, team_id)
            note_resource("team", team_id, team.company_id)
            changed = team.edited(edit, self._clock())
            if changed is not team:
                await work.teams.save(caller.scope, changed)
        return changed

    async def delete_team(self, caller: Caller, team_id: uuid.UUID, etag: str) -> None:
        """Remove a team: its members and vehicles are in none afterwards."""
        async with self._transactions.begin() as work:
            team = await work.teams.get_for_change(caller.scope, team_id)
            note_resource("team", team_id, team.company_id)
            team.require_current(etag)
            # Once the team is locked: nobody joins it later than it ends.
            now = self._clock()
            await work.memberships.end_of_team(caller.scope, team_id, now)
            await work.vehicles.leave_team(caller.scope, team_id, now)
            await work.teams.remove(caller.scope, team_id)
