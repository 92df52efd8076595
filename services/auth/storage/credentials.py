"""Credentials and invitations in PostgreSQL."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.domain.credentials import (
    Credential,
    CredentialStatus,
    Invitation,
    Language,
)
from services.auth.storage.tables import CREDENTIALS, INVITATIONS, PURGED_PEOPLE
from services.chassis.identity import Role


class PostgresCredentialRepository:
    """Credentials of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find_by_email(self, email: str) -> Credential | None:
        """Return the credential of a normalised address."""
        if "\0" in email:  # which PostgreSQL's text can't hold, so nobody has it
            return None
        return await self._read(sa.select(CREDENTIALS).where(CREDENTIALS.c.email == email))

    async def find(self, user_id: uuid.UUID) -> Credential | None:
        """Return a person's credential."""
        return await self._read(sa.select(CREDENTIALS).where(CREDENTIALS.c.user_id == user_id))

    async def lock(self, user_id: uuid.UUID) -> Credential | None:
        """Return a person's credential and keep it from changing until the transaction ends."""
        query = sa.select(CREDENTIALS).where(CREDENTIALS.c.user_id == user_id)
        # The key stays free: a refresh that holds its session may queue a mail to the owner,
        # which refers to the credential, without waiting for who waits for the session.
        return await self._read(query.with_for_update(key_share=True))

    async def save(self, credential: Credential, now: datetime) -> None:
        """Store a credential, new or changed."""
        values = _values(credential)
        statement = insert(CREDENTIALS).values(**values, created_at=now, updated_at=now)
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=[CREDENTIALS.c.user_id], set_={**values, "updated_at": now}
            )
        )

    async def remove(self, user_id: uuid.UUID) -> None:
        """Erase a person's credential; what hangs on it goes by its foreign keys."""
        await self._session.execute(sa.delete(CREDENTIALS).where(CREDENTIALS.c.user_id == user_id))

    async def lock_some_of(self, company_id: uuid.UUID, limit: int) -> Sequence[Credential]:
        """Return credentials of a company's people, all locked."""
        query = (
            sa.select(CREDENTIALS)
            .where(CREDENTIALS.c.company_id == company_id)
            .order_by(CREDENTIALS.c.user_id)
            .limit(limit)
            # As above: a refresh that holds a session of theirs may have to refer to its owner.
            .with_for_update(key_share=True)
        )
        return [_credential(row) for row in await self._session.execute(query)]

    async def add_if_absent(self, credential: Credential, now: datetime) -> bool:
        """Store a credential unless the person has one; tell whether it was stored."""
        values = _values(credential)
        statement = insert(CREDENTIALS).values(**values, created_at=now, updated_at=now)
        result = await self._session.execute(
            statement.on_conflict_do_nothing(index_elements=[CREDENTIALS.c.user_id]).returning(
                CREDENTIALS.c.user_id
            )
        )
        return result.one_or_none() is not None

    async def _read(self, query: sa.Select[Any]) -> Credential | None:
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else _credential(row)


class PostgresPurgedPeople:
    """Who was erased, as one transaction sees it."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, user_id: uuid.UUID, now: datetime) -> None:
        """Note that a person was erased."""
        statement = insert(PURGED_PEOPLE).values(user_id=user_id, purged_at=now)
        await self._session.execute(statement.on_conflict_do_nothing())

    async def includes(self, user_id: uuid.UUID) -> bool:
        """Tell whether a person was erased."""
        found = sa.exists().where(PURGED_PEOPLE.c.user_id == user_id)
        return bool(await self._session.scalar(sa.select(found)))

    async def prune(self, purged_before: datetime) -> None:
        """Forget those of whom nothing can come any more."""
        await self._session.execute(
            sa.delete(PURGED_PEOPLE).where(PURGED_PEOPLE.c.purged_at <= purged_before)
        )


class PostgresInvitationRepository:
    """Invitations of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, invitation: Invitation) -> None:
        """Store an invitation; the person's earlier ones stop working."""
        await self.withdraw(invitation.user_id)
        await self._session.execute(
            sa.insert(INVITATIONS).values(
                digest=invitation.digest,
                user_id=invitation.user_id,
                expires_at=invitation.expires_at,
                used_at=invitation.used_at,
            )
        )

    async def find(self, digest: bytes) -> Invitation | None:
        """Return an invitation."""
        query = sa.select(INVITATIONS).where(INVITATIONS.c.digest == digest)
        row = (await self._session.execute(query)).one_or_none()
        if row is None:
            return None
        return Invitation(row.digest, row.user_id, row.expires_at, row.used_at)

    async def use(self, digest: bytes, now: datetime) -> bool:
        """Use an invitation up; False if it is not open (any more)."""
        statement = (
            sa.update(INVITATIONS)
            .where(
                INVITATIONS.c.digest == digest,
                INVITATIONS.c.used_at.is_(None),
                INVITATIONS.c.expires_at > now,
            )
            .values(used_at=now)
            .returning(INVITATIONS.c.digest)
        )
        return (await self._session.execute(statement)).one_or_none() is not None

    async def withdraw(self, user_id: uuid.UUID) -> None:
        """Make a person's invitations stop working."""
        await self._session.execute(sa.delete(INVITATIONS).where(INVITATIONS.c.user_id == user_id))

    async def prune(self, now: datetime) -> None:
        """Forget invitations that have expired."""
        await self._session.execute(sa.delete(INVITATIONS).where(INVITATIONS.c.expires_at <= now))


def _credential(row: sa.Row[Any]) -> Credential:
    return Credential(
        user_id=row.user_id,
        email=row.email,
        role=Role(row.role),
        company_id=row.company_id,
        status=CredentialStatus(row.status),
        password_hash=row.password_hash,
        user_version=row.user_version,
        language=Language(row.language),
        display_name=row.display_name,
    )


def _values(credential: Credential) -> dict[str, Any]:
    return {
        "user_id": credential.user_id,
        "email": credential.email,
        "role": credential.role.value,
        "company_id": credential.company_id,
        "status": credential.status.value,
        "password_hash": credential.password_hash,
        "user_version": credential.user_version,
        "language": credential.language.value,
        "display_name": credential.display_name,
    }
