"""What the use cases need from the outside.

Everything that a use case does in one `Store.transaction()` commits or fails as a whole. Locks are
always taken in the order credential, password reset, e-mail change, second factor, company,
sessions, API keys, login attempts, revocations, which is what keeps transactions from waiting for
each other in a circle. Only a refresh begins with its session and an exchange with its API key,
then they hold the company, and take no lock on the credential; whoever changes a company, which
nobody else may hold then, takes nothing but revocations after it.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

from services.auth.domain.companies import Company
from services.auth.domain.credentials import Credential, Invitation
from services.auth.domain.keys import SigningKey
from services.auth.domain.mails import Mail, QueuedMail
from services.auth.domain.resets import PasswordReset, ResetRequest
from services.auth.domain.sessions import RefreshToken, Session, SessionCounts
from services.auth.domain.tokens import Claims, IssuedToken, Revocation, RevocationPage
from services.auth.domain.totp import Totp
from services.auth.ports.api_keys import ApiKeyRepository
from services.auth.ports.emails import EmailChangeRepository
from services.chassis.identity import Role

Clock = Callable[[], datetime]
"""The time, in UTC."""

Wake = Callable[[], None]
"""Tells whoever works on what is queued that there is something."""

Digest = Callable[[str], bytes]
"""A keyed hash of personal data that only has to be recognised, such as an address."""


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


class CompanyRepository(Protocol):
    """Companies, as far as companies told of them."""

    async def hold(self, company_id: uuid.UUID) -> Company:
        """Return a company, which stays as it is until the transaction ends; others may hold it.

        One that isn't known is made: that it is active must hold until the end as well.
        """

    async def lock(self, company_id: uuid.UUID) -> Company:
        """Return a company to change it, once nobody holds it any more."""

    async def save(self, company: Company) -> None:
        """Store a company that is locked."""

    async def find_lingering(self) -> Company | None:
        """Return a company some of whose sessions may still have to be marked as ended."""

    async def note_swept(self, company: Company) -> None:
        """Note that none of them has, unless the company was closed again meanwhile."""

    async def find_to_erase(self) -> Company | None:
        """Return a company whose people have to be erased."""


class CompanyEvents(Protocol):
    """What companies hears from auth, published after the commit."""

    async def announce_erased(self, company_id: uuid.UUID, erased_at: datetime) -> None:
        """Tell that auth holds nothing of a company's people any more."""


class SessionRepository(Protocol):
    """Sessions and their refresh tokens."""

    async def add(self, session: Session, token: RefreshToken) -> None:
        """Store a session with its first refresh token."""

    async def lock(self, session_id: uuid.UUID) -> Session | None:
        """Return a session and keep it from changing until the transaction ends."""

    async def lock_by_token(self, digest: bytes) -> tuple[Session, RefreshToken] | None:
        """Return the session that a refresh token belongs to, locked, and the token as it is now.

        Of two transactions with the same token, the second sees what the first has committed.
        """

    async def lock_open(self, user_id: uuid.UUID) -> Sequence[Session]:
        """Return the sessions of a person that have not been ended, all locked."""

    async def lock_open_of(
        self, company_id: uuid.UUID, opened_until: datetime | None, limit: int
    ) -> Sequence[Session]:
        """Return open sessions of a company's people, all or those begun by a moment, locked."""

    async def list_live(
        self,
        user_id: uuid.UUID,
        before: uuid.UUID | None,
        limit: int,
        used_since: datetime,
        now: datetime,
    ) -> Sequence[Session]:
        """Return a person's sessions that can go on, the highest id (the newest) first.

        Those that weren't used since a moment can't; `before` is the id that a page ended with.
        """

    async def save(self, session: Session) -> None:
        """Store a changed session."""

    async def rotate(self, spent: RefreshToken, fresh: RefreshToken) -> None:
        """Mark a token as used and store its successor."""

    async def was_opened_from(self, user_id: uuid.UUID, address_digest: bytes) -> bool:
        """Tell whether the person has logged in from an address, as far back as sessions go."""

    async def count(
        self, used_since: datetime, active_since: datetime, now: datetime
    ) -> SessionCounts:
        """Count open sessions used since one moment, and people who used one since another."""

    async def prune(self, used_before: datetime, now: datetime) -> None:
        """Forget refresh tokens that have expired and sessions that can't go on."""


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


class RevocationRepository(Protocol):
    """The log of revocations."""

    async def append(self, revocations: Sequence[Revocation]) -> None:
        """Add to the log: positions follow the order of commits, so a reader skips none.

        This comes last in a transaction, since others wait for it.
        """

    async def list_after(self, position: int, limit: int, now: datetime) -> RevocationPage:
        """Return what was revoked after a position and still matters."""

    async def prune(self, now: datetime) -> None:
        """Forget revocations that no longer matter."""


class AttemptRepository(Protocol):
    """The buckets that throttle logins; see `domain.throttling`."""

    async def lock(self, keys: Sequence[bytes], now: datetime) -> Mapping[bytes, datetime]:
        """Return the buckets and keep them from changing until the transaction ends.

        A bucket that doesn't exist yet is made, empty.
        """

    async def save(self, buckets: Mapping[bytes, datetime]) -> None:
        """Store changed buckets."""

    async def prune(self, now: datetime) -> None:
        """Forget empty buckets."""


class MailQueue(Protocol):
    """Mails that are sent once the transaction has committed."""

    async def add(self, mail: Mail, user_id: uuid.UUID, now: datetime) -> None:
        """Queue a mail to a person."""

    async def withdraw(self, user_id: uuid.UUID) -> None:
        """Drop what is queued for a person."""

    async def lease(self, now: datetime, lease: timedelta) -> QueuedMail | None:
        """Take the mail that is due longest; nobody else gets it until the lease ends."""

    async def postpone(self, mail_id: uuid.UUID, until: datetime) -> None:
        """Try again later."""

    async def remove(self, mail_id: uuid.UUID) -> None:
        """Take a mail off the queue."""


class SigningKeyRepository(Protocol):
    """Signing keys; private halves are encrypted at rest."""

    async def list_published(self, now: datetime) -> Sequence[SigningKey]:
        """Return the keys that are in the key set, oldest first."""

    async def save(self, key: SigningKey) -> None:
        """Store a key, new or changed."""

    async def prune(self, now: datetime) -> None:
        """Forget keys that verify nothing any more."""


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


class PasswordHasher(Protocol):
    """Slow hashing, away from the event loop, with a bound on what may wait for it."""

    async def hash(self, password: str) -> str:
        """Hash a password.

        Raises:
            LoginThrottled: too many wait already.
        """

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether this is the password; with no hash, say no in the same time.

        Raises:
            LoginThrottled: too many wait already.
        """

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether the hash was made with other parameters than those in force."""


class TokenIssuer(Protocol):
    """Signs tokens."""

    def issue(self, claims: Claims, lifetime: timedelta) -> IssuedToken:
        """Sign these claims, and what every token claims of itself."""


class KeyGenerator(Protocol):
    """Makes key pairs."""

    def generate(self, signs_from: datetime) -> SigningKey:
        """Make a new Ed25519 key."""


class RevocationHint(Protocol):
    """Tells who verifies tokens that there is something new in the log."""

    async def announce(self) -> None:
        """Say so; it may get lost, and never fails."""


class MailUndeliverable(Exception):
    """A mail will never be taken: trying again is pointless."""


class Mailer(Protocol):
    """Delivers mail."""

    async def send(self, mail: Mail) -> None:
        """Deliver a mail; sent again, it can be recognised as the same.

        Raises:
            MailUndeliverable: it never will be.
            OSError: not now.
        """


class AuthenticationRecorder(Protocol):
    """Counts how authentication goes."""

    def succeeded(self, role: Role) -> None:
        """Count a session that was opened."""

    def failed(self, reason: str) -> None:
        """Count a failure; the reasons are few and fixed."""

    def reset_requested(self) -> None:
        """Count a request for a new password."""
