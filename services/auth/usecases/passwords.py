"""Setting the first password and replacing it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from services.auth.domain.credentials import (
    Credential,
    CredentialStatus,
    invitation_digest,
)
from services.auth.domain.errors import (
    CompanySuspended,
    CredentialsInvalid,
    InvitationInvalid,
    LoginThrottled,
    PasswordTooWeak,
)
from services.auth.domain.notices import password_changed_mail
from services.auth.domain.passwords import normalise_password
from services.auth.domain.sessions import Origin, Session, SessionGrant
from services.auth.domain.throttling import Charge
from services.auth.ports import AuthenticationRecorder, RevocationHint, Store, Wake
from services.auth.ports.passwords import PasswordHasher
from services.auth.usecases.new_passwords import NewPasswords
from services.auth.usecases.opening import SessionOpener, end_sessions
from services.auth.usecases.proven_addresses import note_proven_address
from services.auth.usecases.throttling import LoginThrottle
from services.chassis.audit.entries import note_account


@dataclass(frozen=True, slots=True)
class SessionOwner:
    """Somebody who is logged in, the session that says so, and where they call from."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    origin: Origin


class PasswordCheck:
    """Checks a password within a session as a login would: whoever took it over may guess."""

    def __init__(self, store: Store, throttle: LoginThrottle, hasher: PasswordHasher) -> None:
        self._store = store
        self.throttle = throttle
        self._hasher = hasher

    async def __call__(
        self, owner: SessionOwner, password: str
    ) -> tuple[Credential, Sequence[Charge]]:
        """Return the credential, and what the attempt cost: to be given back if all goes well.

        Raises:
            CredentialsInvalid: the password is wrong.
            LoginThrottled: it was wrong too often, or there is too much to do now.
        """
        async with self._store.transaction() as tx:
            credential = await tx.credentials.find(owner.user_id)
            if credential is None or not credential.may_log_in:
                raise CredentialsInvalid
            charges = await self.throttle.charge(
                tx, credential.email, owner.user_id, owner.origin.address
            )
        plain = normalise_password(password)
        async with self.throttle.refunding(self._store, charges, LoginThrottled):
            verified = await self._hasher.verify(credential.password_hash, plain)
        if not verified:
            raise CredentialsInvalid
        return credential, charges


class AcceptInvitation:
    """Sets an invited person's first password and opens a session."""

    def __init__(
        self,
        store: Store,
        throttle: LoginThrottle,
        passwords: NewPasswords,
        opener: SessionOpener,
        recorder: AuthenticationRecorder,
        wake: Wake,
    ) -> None:
        self._store = store
        self._throttle = throttle
        self._passwords = passwords
        self._opener = opener
        self._recorder = recorder
        self._wake = wake

    async def __call__(self, code: str, password: str, origin: Origin) -> SessionGrant:
        """Accept an invitation.

        Raises:
            InvitationInvalid: unknown, used or expired.
            CompanySuspended: the invitation stays open, for when it is resumed.
            PasswordTooWeak: the invitation stays open, for another try.
            LoginThrottled: too much to do now.
        """
        try:
            grant = await self._accept(invitation_digest(code), password, origin)
        except (InvitationInvalid, CompanySuspended, LoginThrottled) as err:
            self._recorder.failed(err.reason.lower())
            raise
        self._recorder.succeeded(grant.role)
        self._wake()
        return grant

    async def _accept(self, digest: bytes, password: str, origin: Origin) -> SessionGrant:
        plain = normalise_password(password)
        invited = await self._invited(digest)
        password_hash = await self._passwords.hashed(
            plain, invited.email, "password", invited.display_name
        )
        async with self._store.transaction() as tx:
            credential = await tx.credentials.lock(invited.user_id)
            used = await tx.invitations.use(digest, self._opener.clock())
            if credential is None or not used:
                raise InvitationInvalid
            credential = credential.with_password(password_hash)
            await tx.credentials.save(credential, self._opener.clock())
            await note_proven_address(tx, credential, self._opener)
            home = self._throttle.address_digest(origin.address)
            opened = await self._opener.open(tx, credential, home, origin)
            await end_sessions(tx, opened.displaced, self._opener)
        return opened.grant

    async def _invited(self, digest: bytes) -> Credential:
        """Look before hashing: a made-up code costs next to nothing."""
        async with self._store.transaction() as tx:
            invitation = await tx.invitations.find(digest)
            if invitation is None or not invitation.is_open(self._opener.clock()):
                raise InvitationInvalid
            credential = await tx.credentials.find(invitation.user_id)
        if credential is None or credential.status is not CredentialStatus.INVITED:
            raise InvitationInvalid
        note_account(credential.user_id, credential.role, credential.company_id)
        return credential


class ChangePassword:
    """Replaces a person's password."""

    def __init__(
        self,
        store: Store,
        check: PasswordCheck,
        passwords: NewPasswords,
        opener: SessionOpener,
        hint: RevocationHint,
        recorder: AuthenticationRecorder,
        wake: Wake,
    ) -> None:
        self._store = store
        self._throttle = check.throttle
        self._check_password = check
        self._passwords = passwords
        self._opener = opener
        self._hint = hint
        self._recorder = recorder
        self._wake = wake

    async def __call__(self, owner: SessionOwner, current_password: str, new_password: str) -> None:
        """Change the password from within a session, and end the person's other sessions.

        They are told by mail.

        Raises:
            CredentialsInvalid: the current password is wrong.
            LoginThrottled: it was wrong too often, or there is too much to do now.
            PasswordTooWeak: nothing has changed.
        """
        try:
            others = await self._change(owner, current_password, new_password)
        except (CredentialsInvalid, LoginThrottled) as err:
            self._recorder.failed(err.reason.lower())
            raise
        self._wake()
        if others:
            await self._hint.announce()

    async def _change(
        self, owner: SessionOwner, current_password: str, new_password: str
    ) -> Sequence[Session]:
        """Change the password; return the sessions that ended."""
        credential, charges = await self._check_password(owner, current_password)
        plain = normalise_password(new_password)
        # Whoever gets so far has the right password: what is refused now costs nothing.
        async with self._throttle.refunding(self._store, charges, PasswordTooWeak, LoginThrottled):
            password_hash = await self._passwords.hashed(
                plain, credential.email, "new_password", credential.display_name
            )
        async with self._store.transaction() as tx:
            current = await tx.credentials.lock(owner.user_id)
            if current is None or not current.still_is(credential):
                raise CredentialsInvalid
            now = self._opener.clock()
            await tx.credentials.save(current.with_password(password_hash), now)
            # Whoever asked for a code before may not be the owner.
            await tx.password_resets.remove(owner.user_id)
            mail = password_changed_mail(self._opener.new_id(), current, owner.origin, now)
            await tx.mails.add(mail, owner.user_id, now)
            others = [
                session
                for session in await tx.sessions.lock_open(owner.user_id)
                if session.session_id != owner.session_id
            ]
            await self._throttle.refund(tx, charges)
            await end_sessions(tx, others, self._opener)
        return others
