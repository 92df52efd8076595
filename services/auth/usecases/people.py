"""Following users: who is invited, who has which role, who has no access any more."""

import uuid
from collections.abc import Sequence

from services.auth.domain.credentials import (
    BOOTSTRAP_USER_ID,
    Credential,
    CredentialStatus,
    Invitation,
    PersonChange,
    invitation_digest,
    new_code,
    normalise_email,
)
from services.auth.domain.letters import invitation_mail
from services.auth.domain.passwords import normalise_password
from services.auth.domain.sessions import SUBJECT_SESSIONS_REVOKED_MAX, Session, revoked_with
from services.auth.domain.tokens import Revocation
from services.auth.ports import Clock, RevocationHint, Store, Transaction
from services.auth.usecases.key_exchange import end_keys_of
from services.auth.usecases.new_passwords import NewPasswords
from services.auth.usecases.opening import SessionOpener
from services.chassis.identity import Role

CONSUMER = "auth-users-changed"


class ApplyPersonChange:
    """Brings a credential up to what users says of its owner."""

    def __init__(
        self,
        store: Store,
        opener: SessionOpener,
        hint: RevocationHint,
    ) -> None:
        self._store = store
        self._opener = opener
        self._lifetimes = opener.lifetimes
        self._clock = opener.clock
        self._new_id = opener.new_id
        self._hint = hint

    async def __call__(self, change: PersonChange) -> None:
        """Apply a change; one that was applied before, or is older, changes nothing."""
        async with self._store.transaction() as tx:
            if not await tx.first_delivery(CONSUMER, change.event_id):
                return
            revoked = await self._apply(tx, change)
        if revoked:
            await self._hint.announce()

    async def _apply(self, tx: Transaction, change: PersonChange) -> bool:
        # A change and an erasure of somebody who isn't known yet would not see each other.
        await tx.exclude_others(f"person/{change.user_id}")
        before = await tx.credentials.lock(change.user_id)
        if before is not None and before.user_version >= change.version:
            # The newer version that has overtaken the wish for an invitation doesn't carry it.
            if change.invite and before.status is CredentialStatus.INVITED:
                await self._invite_again(tx, change)
            return False
        if await self._is_gone(tx, change):
            return before is not None and await self._erase(tx, before)
        after = change.applied_to(before)
        await tx.credentials.save(after, self._clock())
        if before is not None and before.email != after.email:
            # A code that went to the earlier address must not open the account any more.
            await tx.password_resets.remove(after.user_id)
        if after.status is CredentialStatus.DEACTIVATED:
            await tx.invitations.withdraw(after.user_id)
            await tx.mails.withdraw(after.user_id)
            await tx.password_resets.remove(after.user_id)
        elif after.status is CredentialStatus.INVITED and _needs_invitation(before):
            await self._invite(tx, change)
        elif after.status is CredentialStatus.INVITED and change.invite:
            await self._invite_again(tx, change)
        return before is not None and await self._end_tokens(tx, before, after)

    async def _is_gone(self, tx: Transaction, change: PersonChange) -> bool:
        """Tell whether the person or their company was erased: what comes late adds nobody."""
        company_id = change.company_id
        if company_id is not None and (await tx.companies.hold(company_id)).is_going:
            return True
        if change.purged:
            await tx.purged_people.add(change.user_id, self._clock())
        return change.purged or await tx.purged_people.includes(change.user_id)

    async def _erase(self, tx: Transaction, credential: Credential) -> bool:
        """Remove a credential and everything that hangs on it."""
        sessions = await tx.sessions.lock_open(credential.user_id)
        keys = await end_keys_of(tx, credential.user_id, None, self._opener)
        await tx.credentials.remove(credential.user_id)
        await self._revoke(tx, credential.user_id, sessions, keys)
        return True

    async def _invite(self, tx: Transaction, change: PersonChange) -> None:
        now = self._clock()
        code = new_code()
        expires_at = now + self._lifetimes.invitation
        await tx.invitations.add(Invitation(invitation_digest(code), change.user_id, expires_at))
        await tx.mails.add(
            invitation_mail(self._new_id(), change, code, expires_at), change.user_id, now
        )

    async def _invite_again(self, tx: Transaction, change: PersonChange) -> None:
        """Send a fresh code; a mail that still waits holds one that no longer works."""
        await tx.mails.withdraw(change.user_id)
        await self._invite(tx, change)

    async def _end_tokens(self, tx: Transaction, before: Credential, after: Credential) -> bool:
        """End tokens that say what no longer holds; with the access, sessions end as well."""
        if after.status is not CredentialStatus.DEACTIVATED and (
            (after.role, after.company_id) == (before.role, before.company_id)
        ):
            return False
        # A refresh holds its session locked. Waiting for it here means that what it signs, it
        # signed before the revocation.
        sessions = await tx.sessions.lock_open(after.user_id)
        now = self._clock()
        ending = sessions if after.status is CredentialStatus.DEACTIVATED else []
        await tx.sessions.end(ending, now)
        keys = await end_keys_of(tx, after.user_id, after, self._opener)
        await self._revoke(tx, after.user_id, ending, keys)
        return True

    async def _revoke(
        self,
        tx: Transaction,
        user_id: uuid.UUID,
        ending: Sequence[Session],
        keys: Sequence[Revocation],
    ) -> None:
        """Revoke a person's tokens until now, and by session those of clocks that are ahead."""
        now = self._clock()
        ended = revoked_with(ending, self._lifetimes, now)[:SUBJECT_SESSIONS_REVOKED_MAX]
        subject = Revocation.of_subject(user_id, self._lifetimes, now)
        await tx.revocations.append([subject, *ended, *keys])


class BootstrapMaster:
    """Gives the first master a password, once."""

    def __init__(self, store: Store, passwords: NewPasswords, clock: Clock) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock

    async def __call__(self, email: str, password: str) -> bool:
        """Make the credential unless there is one; tell whether it was made.

        Raises:
            PasswordTooWeak: the first password is held to the same rules as any other.
        """
        address = normalise_email(email)
        plain = normalise_password(password)
        async with self._store.transaction() as tx:
            if await tx.credentials.find(BOOTSTRAP_USER_ID) is not None:
                return False
        password_hash = await self._passwords.hashed(plain, address, "bootstrap_password")
        credential = Credential(
            user_id=BOOTSTRAP_USER_ID,
            email=address,
            role=Role.MASTER,
            company_id=None,
            status=CredentialStatus.ACTIVE,
            password_hash=password_hash,
            user_version=0,
        )
        async with self._store.transaction() as tx:
            return await tx.credentials.add_if_absent(credential, self._clock())


def _needs_invitation(before: Credential | None) -> bool:
    return before is None or before.status is not CredentialStatus.INVITED
