"""What auth keeps of people: credentials, invitations, codes, second factors."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.auth.domain.credentials import Credential, Invitation
from services.auth.domain.resets import PasswordReset, ResetRequest
from services.auth.domain.totp import Totp


class CredentialRepository(Protocol):
    """Credentials by person and by e-mail address."""

    async def find_by_email(self, email: str) -> Credential | None:
        """Return the credential of a normalised address."""

    async def find(self, user_id: uuid.UUID) -> Credential | None:
        """Return a person's credential."""

    async def lock(self, user_id: uuid.UUID) -> Credential | None:
        """Return a person's credential and keep it from changing until the transaction ends."""

    async def save(self, credential: Credential, now: datetime) -> None:
        """Store a credential, new or changed."""

    async def remove(self, user_id: uuid.UUID) -> None:
        """Erase a person's credential with their sessions, codes and waiting mail."""

    async def lock_some_of(self, company_id: uuid.UUID, limit: int) -> Sequence[Credential]:
        """Return credentials of a company's people, all locked."""

    async def add_if_absent(self, credential: Credential, now: datetime) -> bool:
        """Store a credential unless the person has one; tell whether it was stored."""


class PurgedPeople(Protocol):
    """Who was erased, as long as something may still be told of them."""

    async def add(self, user_id: uuid.UUID, now: datetime) -> None:
        """Note that a person was erased."""

    async def includes(self, user_id: uuid.UUID) -> bool:
        """Tell whether a person was erased."""

    async def prune(self, purged_before: datetime) -> None:
        """Forget those of whom nothing can come any more."""


class InvitationRepository(Protocol):
    """Invitations by the digest of their code."""

    async def add(self, invitation: Invitation) -> None:
        """Store an invitation; the person's earlier ones stop working."""

    async def find(self, digest: bytes) -> Invitation | None:
        """Return an invitation."""

    async def use(self, digest: bytes, now: datetime) -> bool:
        """Use an invitation up; False if it is not open (any more)."""

    async def withdraw(self, user_id: uuid.UUID) -> None:
        """Make a person's invitations stop working."""

    async def prune(self, now: datetime) -> None:
        """Forget invitations that have expired."""


class PasswordResetRepository(Protocol):
    """Codes that set new passwords, and the queue of those who ask for one."""

    async def ask(self, request: ResetRequest) -> None:
        """Queue a request."""

    async def take_request(self) -> ResetRequest | None:
        """Take the oldest request that nobody else is at off the queue."""

    async def save(self, reset: PasswordReset) -> None:
        """Store a person's code, new or changed; an earlier one stops working."""

    async def lock(self, user_id: uuid.UUID) -> PasswordReset | None:
        """Return a person's code and keep it from changing until the transaction ends."""

    async def count_failure(self, user_id: uuid.UUID) -> None:
        """Count a wrong code; for somebody who has none, do nothing in the same time."""

    async def remove(self, user_id: uuid.UUID) -> None:
        """Make a person's code stop working."""

    async def prune(self, now: datetime) -> None:
        """Forget codes that have expired."""


class SecondFactorRepository(Protocol):
    """Authenticators and backup codes; secrets are encrypted at rest."""

    async def find(self, user_id: uuid.UUID) -> Totp | None:
        """Return a person's authenticator; whoever holds the credential keeps it unchanged."""

    async def save(self, totp: Totp) -> None:
        """Store a person's authenticator, new or changed."""

    async def replace_backup_codes(self, user_id: uuid.UUID, digests: Sequence[bytes]) -> None:
        """Store new backup codes; earlier ones stop working."""

    async def use_backup_code(self, user_id: uuid.UUID, digest: bytes) -> bool:
        """Use a backup code up; False if there is no such code."""

    async def remove(self, user_id: uuid.UUID) -> None:
        """Forget a person's authenticator and backup codes."""
