"""People's times in teams in PostgreSQL."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import translate_database_error
from services.chassis.identity import TenantScope
from services.companies.domain.errors import CompanyNotFound
from services.companies.domain.fleet_errors import PersonHasTeam
from services.companies.domain.teams import Membership, MembershipQuery, TeamRole
from services.companies.storage.scopes import within
from services.companies.storage.tables.teams import MEMBER_KEY, MembershipRow


class PostgresMembershipRepository:
    """Memberships of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, scope: TenantScope, membership: Membership) -> None:
        """Store a membership that begins."""
        if not scope.includes(membership.company_id):
            raise CompanyNotFound(membership.company_id)
        self._session.add(MembershipRow(**asdict(membership) | {"role": membership.role.value}))
        try:
            await self._session.flush()
        except IntegrityError as err:
            user_id = membership.user_id
            meanings = {MEMBER_KEY: lambda: PersonHasTeam(user_id)} if user_id else {}
            meaning = translate_database_error(err, meanings)
            if meaning is None:
                raise
            raise meaning from err

    async def current_of(self, scope: TenantScope, user_id: uuid.UUID) -> Membership | None:
        """Find the team that a person is in."""
        query = (
            select(MembershipRow)
            .where(
                _within(scope),
                col(MembershipRow.user_id) == user_id,
                col(MembershipRow.end_time).is_(None),
            )
            .execution_options(populate_existing=True)
        )
        row = (await self._session.exec(query)).one_or_none()
        return _membership(row) if row else None

    async def end(self, scope: TenantScope, membership: Membership) -> None:
        """Store that a membership has ended."""
        of_it = col(MembershipRow.membership_id) == membership.membership_id
        await self._end(scope, of_it, membership.end_time)

    async def end_of_team(self, scope: TenantScope, team_id: uuid.UUID, now: datetime) -> None:
        """End every membership in a team."""
        await self._end(scope, col(MembershipRow.team_id) == team_id, now)

    async def list_before(
        self, scope: TenantScope, query: MembershipQuery, before: uuid.UUID | None, limit: int
    ) -> Sequence[Membership]:
        """Read memberships, newest first."""
        key = col(MembershipRow.membership_id)
        statement = select(MembershipRow).where(_within(scope), *_matching(query))
        if before is not None:
            statement = statement.where(key < before)
        statement = statement.order_by(key.desc()).limit(limit)
        current = statement.execution_options(populate_existing=True)
        return [_membership(row) for row in await self._session.exec(current)]

    async def forget_person(self, scope: TenantScope, user_id: uuid.UUID) -> None:
        """Keep the times, and no longer whose they were."""
        statement = sa.update(MembershipRow).where(
            _within(scope), col(MembershipRow.user_id) == user_id
        )
        await self._session.exec(statement.values(user_id=None))

    async def _end(
        self, scope: TenantScope, which: sa.ColumnElement[bool], now: datetime | None
    ) -> None:
        statement = sa.update(MembershipRow).where(
            _within(scope), which, col(MembershipRow.end_time).is_(None)
        )
        await self._session.exec(
            statement.values(end_time=sa.func.greatest(now, col(MembershipRow.start_time)))
        )


def _within(scope: TenantScope) -> sa.ColumnElement[bool]:
    return within(col(MembershipRow.company_id), scope)


def _matching(query: MembershipQuery) -> Iterator[sa.ColumnElement[bool]]:
    if query.company_id is not None:
        yield col(MembershipRow.company_id) == query.company_id
    if query.team_id is not None:
        yield col(MembershipRow.team_id) == query.team_id
    if query.user_id is not None:
        yield col(MembershipRow.user_id) == query.user_id
    if query.current_only:
        yield col(MembershipRow.end_time).is_(None)


def _membership(row: MembershipRow) -> Membership:
    return Membership(
        membership_id=row.membership_id,
        company_id=row.company_id,
        team_id=row.team_id,
        team_name=row.team_name,
        user_id=row.user_id,
        role=TeamRole(row.role),
        start_time=row.start_time,
        end_time=row.end_time,
    )
