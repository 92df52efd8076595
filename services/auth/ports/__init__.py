"""What the use cases need from the outside.

Everything that a use case does in one `Store.transaction()` commits or fails as a whole. Locks are
always taken in the order work, credential, password reset, e-mail change, second factor, company,
sessions, API keys, login attempts, revocations, which is what keeps transactions from waiting for
each other in a circle. Only a refresh begins with its session and an exchange with its API key,
then they hold the company, and take no lock on the credential; whoever changes a company, which
nobody else may hold then, takes nothing but revocations after it.
"""

import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.auth.ports.api_keys import ApiKeyRepository
from services.auth.ports.companies import CompanyEvents, CompanyRepository
from services.auth.ports.emails import EmailChangeRepository
from services.auth.ports.keys import SigningKeyRepository
from services.auth.ports.mails import MailQueue
from services.auth.ports.people import (
    CredentialRepository,
    InvitationRepository,
    PasswordResetRepository,
    PurgedPeople,
    SecondFactorRepository,
)
from services.auth.ports.sessions import (
    AttemptRepository,
    RevocationRepository,
    SessionRepository,
)
from services.chassis.identity import Role

Clock = Callable[[], datetime]
"""The time, in UTC."""

Wake = Callable[[], None]
"""Tells whoever works on what is queued that there is something."""

Digest = Callable[[str], bytes]
"""A keyed hash of personal data that only has to be recognised, such as an address."""


class Transaction(Protocol):
    """One unit of work."""

    @property
    def credentials(self) -> CredentialRepository: ...  # noqa: D102
    @property
    def purged_people(self) -> PurgedPeople: ...  # noqa: D102
    @property
    def companies(self) -> CompanyRepository: ...  # noqa: D102
    @property
    def company_events(self) -> CompanyEvents: ...  # noqa: D102
    @property
    def sessions(self) -> SessionRepository: ...  # noqa: D102
    @property
    def invitations(self) -> InvitationRepository: ...  # noqa: D102
    @property
    def password_resets(self) -> PasswordResetRepository: ...  # noqa: D102
    @property
    def second_factors(self) -> SecondFactorRepository: ...  # noqa: D102
    @property
    def email_changes(self) -> EmailChangeRepository: ...  # noqa: D102
    @property
    def api_keys(self) -> ApiKeyRepository: ...  # noqa: D102
    @property
    def revocations(self) -> RevocationRepository: ...  # noqa: D102
    @property
    def attempts(self) -> AttemptRepository: ...  # noqa: D102
    @property
    def mails(self) -> MailQueue: ...  # noqa: D102
    @property
    def signing_keys(self) -> SigningKeyRepository: ...  # noqa: D102

    async def first_delivery(self, consumer: str, event_id: uuid.UUID) -> bool:
        """Note that a consumer got an event; False if it had it before."""

    async def exclude_others(self, work: str) -> None:
        """Wait until no other transaction does this work, and keep others from it."""

    async def try_exclude_others(self, work: str) -> bool:
        """Keep others from this work, unless another transaction does it: then return False."""


class Store(Protocol):
    """Where auth keeps what it owns."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a unit of work that commits at the end of the block, or not at all if it raises."""


class RevocationHint(Protocol):
    """Tells who verifies tokens that there is something new in the log."""

    async def announce(self) -> None:
        """Say so; it may get lost, and never fails."""


class AuthenticationRecorder(Protocol):
    """Counts how authentication goes."""

    def succeeded(self, role: Role) -> None:
        """Count a session that was opened."""

    def failed(self, reason: str) -> None:
        """Count a failure; the reasons are few and fixed."""

    def reset_requested(self) -> None:
        """Count a request for a new password."""
