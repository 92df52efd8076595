"""What the use cases need of stored teams and memberships."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.chassis.identity import CreationRequest, TenantScope
from services.companies.domain.teams import Membership, MembershipQuery, Team


class TeamRepository(Protocol):
    """Teams. What is outside the scope does not exist."""

    async def add(
        self, scope: TenantScope, team: Team, request: CreationRequest | None = None
    ) -> None:
        """Store a team.

        Raises:
            TeamNameTaken: the company has a team with the name.
            CompanyNotFound: the team's company is outside the scope.
        """

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> Team | None:
        """Find the team that an earlier try of a request made, as it stands now.

        Further tries wait here until the transaction of the first has ended.

        Raises:
            RequestIdReused: the earlier request asked for something else.
        """

    async def get(self, scope: TenantScope, team_id: uuid.UUID) -> Team:
        """Read a team.

        Raises:
            TeamNotFound: none in the scope has the id.
        """

    async def get_for_change(self, scope: TenantScope, team_id: uuid.UUID) -> Team:
        """Read a team and keep others from changing it until the transaction ends.

        Raises:
            TeamNotFound: none in the scope has the id.
        """

    async def list_after(
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[Team]:
        """Read teams in the order of their ids, from the first id greater than `after`."""

    async def save(self, scope: TenantScope, team: Team) -> None:
        """Store the next version of a team.

        Raises:
            TeamNameTaken: the company has another team with the name.
            EditConflict: the stored version is not the one before.
        """

    async def remove(self, scope: TenantScope, team_id: uuid.UUID) -> None:
        """Erase a team, which no vehicle is in, and the request that made it."""


class MembershipRepository(Protocol):
    """People's times in teams. What is outside the scope does not exist."""

    async def add(self, scope: TenantScope, membership: Membership) -> None:
        """Store a membership that begins.

        Raises:
            PersonHasTeam: the person is in a team.
        """

    async def current_of(self, scope: TenantScope, user_id: uuid.UUID) -> Membership | None:
        """Find the team that a person is in."""

    async def end(self, scope: TenantScope, membership: Membership) -> None:
        """Store that a membership has ended; one that had ended before stays as it was."""

    async def end_of_team(self, scope: TenantScope, team_id: uuid.UUID, now: datetime) -> None:
        """End every membership in a team."""

    async def list_before(
        self, scope: TenantScope, query: MembershipQuery, before: uuid.UUID | None, limit: int
    ) -> Sequence[Membership]:
        """Read memberships, newest first, from the first id smaller than `before`."""

    async def forget_person(self, scope: TenantScope, user_id: uuid.UUID) -> None:
        """Keep the times, and no longer whose they were."""
