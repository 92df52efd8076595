"""The repository of people, and the transactions that it lives in."""

import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from services.chassis.creations import made_by
from services.chassis.database import Database
from services.chassis.errors import EditConflict
from services.chassis.identity import CreationRequest, Role, TenantScope
from services.chassis.ids import new_id
from services.chassis.messaging import EventRecord
from services.chassis.outbox import append_event
from services.users import codec
from services.users.domain.errors import CompanyNotFound, EmailTaken, UserNotFound
from services.users.domain.lists import (
    ListPosition,
    OrderField,
    UserQuery,
    search_text,
    sort_name,
)
from services.users.domain.people import PeopleCount, Status, User
from services.users.storage.erasures import PostgresCompanyErasures, is_erased, lock_company
from services.users.storage.tables import EMAIL_KEY, UserRow

_SORT_COLUMNS: Mapping[OrderField, Mapped[Any]] = {
    OrderField.CREATE_TIME: col(UserRow.create_time),
    OrderField.DISPLAY_NAME: col(UserRow.sort_name),
    OrderField.EMAIL: col(UserRow.email),
}

USER_CHANGED_SUBJECT = "events.users.changed"
COMPANY_ERASED_SUBJECT = "events.users.company_erased"


class PostgresUserRepository:
    """People of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(
        self, scope: TenantScope, user: User, request: CreationRequest | None = None
    ) -> None:
        """Store a person."""
        if not user.within(scope):
            raise UserNotFound(user.user_id)
        row = UserRow(**_values(user))
        row.remember(request)
        self._session.add(row)
        await self._session.flush()

    async def count_for_change(self, scope: TenantScope, company_id: uuid.UUID) -> int:
        """Count a company's people, and keep others from adding any."""
        await lock_company(self._session, company_id)
        if not scope.includes(company_id) or await is_erased(self._session, company_id):
            raise CompanyNotFound(company_id)
        query = select(func.count()).where(
            col(UserRow.company_id) == company_id, col(UserRow.delete_time).is_(None)
        )
        return (await self._session.exec(query)).one()

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> User | None:
        """Find the person whom an earlier try of a request made."""
        row = await made_by(self._session, UserRow, _within(scope), request)
        return _user(row) if row else None

    async def get(self, scope: TenantScope, user_id: uuid.UUID) -> User:
        """Read a person."""
        return await self._read(_by_id(scope, user_id), user_id)

    async def get_for_change(self, scope: TenantScope, user_id: uuid.UUID) -> User:
        """Read a person and lock them."""
        return await self._read(_by_id(scope, user_id).with_for_update(), user_id)

    async def list_after(
        self, scope: TenantScope, query: UserQuery, after: ListPosition | None, limit: int
    ) -> Sequence[User]:
        """Read people whom the query matches in its order."""
        key, user_id = _SORT_COLUMNS[query.order.field], col(UserRow.user_id)
        statement = select(UserRow).where(_within(scope), *_matching(query)).limit(limit)
        if query.order.descending:
            statement = statement.order_by(key.desc(), user_id.desc())
        else:
            statement = statement.order_by(key, user_id)
        if after is not None:
            here, there = sa.tuple_(key, user_id), (after.key, after.user_id)
            statement = statement.where(here < there if query.order.descending else here > there)
        return [_user(row) for row in await self._session.exec(statement)]

    async def count_people(self, scope: TenantScope) -> Sequence[PeopleCount]:
        """Count people by role and status."""
        role, status = col(UserRow.role), col(UserRow.status)
        query = (
            sa.select(role, status, sa.func.count())
            .where(_within(scope), col(UserRow.delete_time).is_(None))
            .group_by(role, status)
            .order_by(role.collate("C"), status.collate("C"))
        )
        rows = await self._session.execute(query)
        return [PeopleCount(Role(role), Status(status), count) for role, status, count in rows]

    async def save(self, scope: TenantScope, user: User) -> None:
        """Store the next version of a person."""
        statement = (
            sa.update(UserRow)
            .where(
                _within(scope),
                col(UserRow.user_id) == user.user_id,
                col(UserRow.version) == user.version - 1,
            )
            .values(_values(user))
            .returning(col(UserRow.user_id))
        )
        if (await self._session.exec(statement)).one_or_none() is None:
            raise EditConflict("Somebody changed this person meanwhile.")

    async def list_due_for_change(
        self, scope: TenantScope, now: datetime, limit: int
    ) -> Sequence[User]:
        """Read people who are to be purged and lock them, those apart whom others have locked."""
        query = (
            select(UserRow)
            .where(_within(scope), col(UserRow.purge_time) <= now)
            .order_by(col(UserRow.purge_time))
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [_user(row) for row in await self._session.exec(query)]

    async def list_for_removal(self, scope: TenantScope, limit: int) -> Sequence[User]:
        """Read people and lock them."""
        query = select(UserRow).where(_within(scope)).limit(limit).with_for_update()
        return [_user(row) for row in await self._session.exec(query)]

    async def remove(self, scope: TenantScope, user_id: uuid.UUID) -> None:
        """Erase a person and the request that made them."""
        statement = sa.delete(UserRow).where(_within(scope), col(UserRow.user_id) == user_id)
        await self._session.exec(statement)

    async def _read(self, query: SelectOfScalar[UserRow], user_id: uuid.UUID) -> User:
        row = (await self._session.exec(query)).one_or_none()
        if row is None:
            raise UserNotFound(user_id)
        return _user(row)


class OutboxUserEvents:
    """Events that are stored with the change and published after the commit."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def announce(self, user: User) -> None:
        """Store the event that tells how a person stands."""
        await self._append(user)

    async def announce_invited(self, user: User) -> None:
        """Store the event that has a person invited again."""
        await self._append(user, invite=True)

    async def announce_purged(self, user: User) -> None:
        """Store the event that tells that a person was erased."""
        await self._append(user, purged=True)

    async def announce_company_erased(self, company_id: uuid.UUID, now: datetime) -> None:
        """Store the event that tells that nobody of a company is left."""
        event_id = new_id()
        payload = codec.encode_company_erased(event_id, company_id, now)
        await append_event(self._session, EventRecord(event_id, COMPANY_ERASED_SUBJECT, payload))

    async def _append(self, user: User, *, invite: bool = False, purged: bool = False) -> None:
        event_id = new_id()
        payload = codec.encode_user_changed(event_id, user, invite=invite, purged=purged)
        await append_event(self._session, EventRecord(event_id, USER_CHANGED_SUBJECT, payload))


@dataclass(frozen=True, slots=True)
class PostgresUnitOfWork:
    """What one database transaction reaches."""

    users: PostgresUserRepository
    erasures: PostgresCompanyErasures
    events: OutboxUserEvents


class PostgresTransactions:
    """Begins database transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresUnitOfWork]:
        """Open a transaction."""
        async with self._database.transaction(constraints={EMAIL_KEY: EmailTaken}) as session:
            yield PostgresUnitOfWork(
                PostgresUserRepository(session),
                PostgresCompanyErasures(session),
                OutboxUserEvents(session),
            )


def _by_id(scope: TenantScope, user_id: uuid.UUID) -> SelectOfScalar[UserRow]:
    return select(UserRow).where(_within(scope), col(UserRow.user_id) == user_id)


def _within(scope: TenantScope) -> sa.ColumnElement[bool]:
    if scope.company_id is None:
        return sa.true()
    return col(UserRow.company_id) == scope.company_id


def _matching(query: UserQuery) -> Iterator[sa.ColumnElement[bool]]:
    if query.role is not None:
        yield col(UserRow.role) == query.role.value
    if query.status is not None:
        yield col(UserRow.status) == query.status.value
    if not query.show_deleted:
        yield col(UserRow.delete_time).is_(None)
    for word in query.words:
        yield col(UserRow.search_text).contains(word, autoescape=True)


def _values(user: User) -> dict[str, Any]:
    return asdict(user) | {"sort_name": sort_name(user), "search_text": search_text(user)}


def _user(row: UserRow) -> User:
    return User(
        user_id=row.user_id,
        company_id=row.company_id,
        email=row.email,
        display_name=row.display_name,
        role=Role(row.role),
        language_code=row.language_code,
        phone_number=row.phone_number,
        status=Status(row.status),
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
        # A row of an older version of the service has none.
        invite_time=row.invite_time or row.create_time,
        email_verified=row.email_verified,
        delete_time=row.delete_time,
        purge_time=row.purge_time,
    )
