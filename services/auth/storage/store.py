"""The transactions that everything in this package lives in."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.storage.api_keys import PostgresApiKeyRepository
from services.auth.storage.companies import OutboxCompanyEvents, PostgresCompanyRepository
from services.auth.storage.credentials import (
    PostgresCredentialRepository,
    PostgresInvitationRepository,
    PostgresPurgedPeople,
)
from services.auth.storage.email_changes import PostgresEmailChangeRepository
from services.auth.storage.mails import PostgresMailQueue
from services.auth.storage.resets import PostgresPasswordResetRepository
from services.auth.storage.revocations import (
    PostgresAttemptRepository,
    PostgresRevocationRepository,
)
from services.auth.storage.second_factors import PostgresSecondFactorRepository
from services.auth.storage.sessions import PostgresSessionRepository
from services.auth.storage.signing_keys import PostgresSigningKeyRepository
from services.auth.storage.tables import EMAIL_KEY
from services.auth.storage.vault import Vault
from services.chassis.database import Database
from services.chassis.errors import EditConflict
from services.chassis.locks import lock_work, try_lock_work
from services.chassis.outbox import first_delivery


def _email_taken() -> EditConflict:
    # Users keeps addresses unique, so this is a change that has overtaken another one.
    return EditConflict("Another person has this e-mail address.")


_CONSTRAINTS = {EMAIL_KEY: _email_taken}


class PostgresTransaction:
    """One database transaction."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self._session = session
        self.credentials = PostgresCredentialRepository(session)
        self.purged_people = PostgresPurgedPeople(session)
        self.companies = PostgresCompanyRepository(session)
        self.company_events = OutboxCompanyEvents(session)
        self.sessions = PostgresSessionRepository(session, vault)
        self.invitations = PostgresInvitationRepository(session)
        self.password_resets = PostgresPasswordResetRepository(session, vault)
        self.second_factors = PostgresSecondFactorRepository(session, vault)
        self.email_changes = PostgresEmailChangeRepository(session, vault)
        self.api_keys = PostgresApiKeyRepository(session, vault)
        self.revocations = PostgresRevocationRepository(session)
        self.attempts = PostgresAttemptRepository(session)
        self.mails = PostgresMailQueue(session, vault)
        self.signing_keys = PostgresSigningKeyRepository(session, vault)

    async def first_delivery(self, consumer: str, event_id: uuid.UUID) -> bool:
        """Note that a consumer got an event; False if it had it before."""
        return await first_delivery(self._session, consumer, event_id)

    async def exclude_others(self, work: str) -> None:
        """Wait until no other transaction does this work, and keep others from it."""
        await lock_work(self._session, work)

    async def try_exclude_others(self, work: str) -> bool:
        """Keep others from this work, unless another transaction does it: then return False."""
        return await try_lock_work(self._session, work)


class PostgresStore:
    """Begins database transactions."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """Begin a unit of work that commits at the end of the block, or not at all if it raises."""
        async with self._database.transaction(constraints=_CONSTRAINTS) as session:
            yield PostgresTransaction(session, self._vault)
