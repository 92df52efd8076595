"""Teams in PostgreSQL."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from services.chassis.creations import made_by
from services.chassis.errors import EditConflict
from services.chassis.identity import CreationRequest, TenantScope
from services.companies.domain.errors import CompanyNotFound
from services.companies.domain.fleet_errors import TeamNotFound
from services.companies.domain.teams import Team
from services.companies.storage.scopes import within
from services.companies.storage.tables.teams import TeamRow


class PostgresTeamRepository:
    """Teams of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(
        self, scope: TenantScope, team: Team, request: CreationRequest | None = None
    ) -> None:
        """Store a team."""
        if not scope.includes(team.company_id):
            raise CompanyNotFound(team.company_id)
        row = TeamRow(**asdict(team))
        row.remember(request)
        self._session.add(row)
        await self._session.flush()

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> Team | None:
        """Find the team that an earlier try of a request made."""
        row = await made_by(self._session, TeamRow, _within(scope), request)
        return _team(row) if row else None

    async def get(self, scope: TenantScope, team_id: uuid.UUID) -> Team:
        """Read a team."""
        return await self._read(_by_id(scope, team_id), team_id)

    async def get_for_change(self, scope: TenantScope, team_id: uuid.UUID) -> Team:
        """Read a team and lock it."""
        return await self._read(_by_id(scope, team_id).with_for_update(), team_id)

    async def list_after(
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[Team]:
        """Read teams in the order of their ids."""
        query = select(TeamRow).where(_within(scope))
        if after is not None:
            query = query.where(col(TeamRow.team_id) > after)
        query = query.order_by(col(TeamRow.team_id)).limit(limit)
        return [_team(row) for row in await self._session.exec(query)]

    async def save(self, scope: TenantScope, team: Team) -> None:
        """Store the next version of a team."""
        statement = (
            sa.update(TeamRow)
            .where(
                _within(scope),
                col(TeamRow.team_id) == team.team_id,
                col(TeamRow.version) == team.version - 1,
            )
            .values(asdict(team))
            .returning(col(TeamRow.team_id))
        )
        if (await self._session.exec(statement)).one_or_none() is None:
            raise EditConflict("Somebody changed this team meanwhile.")

    async def remove(self, scope: TenantScope, team_id: uuid.UUID) -> None:
        """Erase a team and the request that made it."""
        statement = sa.delete(TeamRow).where(_within(scope), col(TeamRow.team_id) == team_id)
        await self._session.exec(statement)

    async def _read(self, query: SelectOfScalar[TeamRow], team_id: uuid.UUID) -> Team:
        # Statements change rows: what the session has seen before may be outdated.
        current = query.execution_options(populate_existing=True)
        row = (await self._session.exec(current)).one_or_none()
        if row is None:
            raise TeamNotFound(team_id)
        return _team(row)


def _within(scope: TenantScope) -> sa.ColumnElement[bool]:
    return within(col(TeamRow.company_id), scope)


def _by_id(scope: TenantScope, team_id: uuid.UUID) -> SelectOfScalar[TeamRow]:
    return select(TeamRow).where(_within(scope), col(TeamRow.team_id) == team_id)


def _team(row: TeamRow) -> Team:
    return Team(
        team_id=row.team_id,
        company_id=row.company_id,
        display_name=row.display_name,
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
    )
