"""The repository of people, and the transactions that it lives in."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlmodel import col, select
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
from services.users.domain.errors import EmailTaken, UserNotFound
from services.users.domain.people import Status, User
from services.users.storage.tables import EMAIL_KEY, UserRow

USER_CHANGED_SUBJECT = "events.users.changed"


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
        row = UserRow(**asdict(user))
        row.remember(request)
        self._session.add(row)
        await self._session.flush()

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
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[User]:
        """Read people in the order of their ids."""
        query = select(UserRow).where(_within(scope)).order_by(col(UserRow.user_id)).limit(limit)
        if after is not None:
            query = query.where(col(UserRow.user_id) > after)
        return [_user(row) for row in await self._session.exec(query)]

    async def save(self, scope: TenantScope, user: User) -> None:
        """Store the next version of a person."""
        statement = (
            sa.update(UserRow)
            .where(
                _within(scope),
                col(UserRow.user_id) == user.user_id,
                col(UserRow.version) == user.version - 1,
            )
            .values(asdict(user))
            .returning(col(UserRow.user_id))
        )
        if (await self._session.exec(statement)).one_or_none() is None:
            raise EditConflict("Somebody changed this person meanwhile.")

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
        event_id = new_id()
        payload = codec.encode_user_changed(event_id, user)
        await append_event(self._session, EventRecord(event_id, USER_CHANGED_SUBJECT, payload))


@dataclass(frozen=True, slots=True)
class PostgresUnitOfWork:
    """What one database transaction reaches."""

    users: PostgresUserRepository
    events: OutboxUserEvents


class PostgresTransactions:
    """Begins database transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresUnitOfWork]:
        """Open a transaction."""
        async with self._database.transaction(constraints={EMAIL_KEY: EmailTaken}) as session:
            yield PostgresUnitOfWork(PostgresUserRepository(session), OutboxUserEvents(session))


def _by_id(scope: TenantScope, user_id: uuid.UUID) -> SelectOfScalar[UserRow]:
    return select(UserRow).where(_within(scope), col(UserRow.user_id) == user_id)


def _within(scope: TenantScope) -> sa.ColumnElement[bool]:
    if scope.company_id is None:
        return sa.true()
    return col(UserRow.company_id) == scope.company_id


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
    )
