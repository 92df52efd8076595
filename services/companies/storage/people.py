"""How people stood when last heard of, and which events told it, in PostgreSQL."""

import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.identity import Role, TenantScope
from services.chassis.outbox import first_delivery
from services.companies.domain.errors import CompanyNotFound
from services.companies.domain.people import Person
from services.companies.storage.scopes import within
from services.companies.storage.tables.assignments import PersonRow


class PostgresPersonRepository:
    """People of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def keep(self, scope: TenantScope, person: Person) -> Person:
        """Store how a person stands unless something newer is known, and return the newest."""
        if not scope.includes(person.company_id):
            raise CompanyNotFound(person.company_id)
        statement = insert(PersonRow).values(
            user_id=person.user_id,
            company_id=person.company_id,
            role=person.role.value,
            active=person.active,
            version=person.version,
        )
        is_newer = statement.excluded.version >= col(PersonRow.version)
        # An update that changes nothing locks the row all the same.
        known: Mapping[str, Mapped[Any]] = {
            "role": col(PersonRow.role),
            "active": col(PersonRow.active),
            "version": col(PersonRow.version),
        }
        newest = {
            name: sa.case((is_newer, statement.excluded[name]), else_=column)
            for name, column in known.items()
        }
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=["user_id"], set_=newest)
        )
        query = (
            select(PersonRow)
            .where(
                within(col(PersonRow.company_id), scope),
                col(PersonRow.user_id) == person.user_id,
            )
            .execution_options(populate_existing=True)
        )
        row = (await self._session.exec(query)).one()
        return Person(
            user_id=row.user_id,
            company_id=row.company_id,
            role=Role(row.role),
            active=row.active,
            version=row.version,
        )

    async def forget(self, scope: TenantScope, user_id: uuid.UUID) -> None:
        """Erase what is known of a person."""
        statement = sa.delete(PersonRow).where(
            within(col(PersonRow.company_id), scope), col(PersonRow.user_id) == user_id
        )
        await self._session.execute(statement)


class PostgresInbox:
    """Events that were taken in."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def first_delivery(self, consumer: str, event_id: uuid.UUID) -> bool:
        """Note that a consumer got an event."""
        return await first_delivery(self._session, consumer, event_id)
