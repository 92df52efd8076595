"""People's addresses: asking for another, proving to read it, and carrying that out.

Users owns addresses. Here a person's wish goes through three steps, of which each can be repeated:
the code is proven (and that is noted), users is told, the wish is forgotten with a notice to the
address before. Whatever ends in between, `CarryOutEmailChanges` goes on from what was noted; the
address in the credential follows the event that users publishes.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from services.auth.domain.credentials import Credential, new_code, normalise_email, spelled_code
from services.auth.domain.email_changes import (
    EMAIL_CODE_SIZE_BYTES,
    EmailChange,
    EmailCodeInvalid,
    EmailTaken,
    PersonGone,
    email_digest_text,
)
from services.auth.domain.errors import CredentialsInvalid, LoginThrottled
from services.auth.domain.letters import email_code_mail
from services.auth.domain.sessions import Origin
from services.auth.domain.warnings import email_changed_mail
from services.auth.ports import AuthenticationRecorder, Digest, Store, Transaction, Wake
from services.auth.ports.emails import AddressBook
from services.auth.usecases.opening import SessionOpener
from services.auth.usecases.passwords import PasswordCheck, SessionOwner
from services.auth.usecases.throttling import LoginThrottle
from services.chassis.audit.entries import note_refusal
from services.chassis.errors import EditConflict, TokenRevoked

_LEASE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class EmailCodes:
    """Makes codes that prove an address, and knows them again by a keyed hash."""

    opener: SessionOpener
    hash: Digest

    def digest(self, user_id: uuid.UUID, code: str) -> bytes:
        """Digest a person's code as it is stored."""
        return self.hash(email_digest_text(user_id, spelled_code(code)))

    async def mail(self, tx: Transaction, owner: Credential, email: str) -> None:
        """Mail a code to an address of somebody whose credential is locked.

        Raises:
            EditConflict: an earlier change of theirs is being carried out.
        """
        before = await tx.email_changes.lock(owner.user_id)
        if before is not None and before.proven_at is not None:
            raise EditConflict("An earlier change is being carried out; try again in a moment.")
        now = self.opener.clock()
        code = new_code(EMAIL_CODE_SIZE_BYTES)
        expires_at = now + self.opener.lifetimes.password_reset
        digest = self.digest(owner.user_id, code)
        change = EmailChange(owner.user_id, owner.email, email, digest, expires_at)
        await tx.email_changes.save(change)
        mail = email_code_mail(self.opener.new_id(), owner, email, code, expires_at)
        await tx.mails.add(mail, owner.user_id, now)


@dataclass(frozen=True, slots=True)
class RequestEmailChange:
    """Mails a code to an address that somebody wants to have."""

    store: Store
    check_password: PasswordCheck
    login_throttle: LoginThrottle
    throttle: LoginThrottle
    codes: EmailCodes
    recorder: AuthenticationRecorder
    wake: Wake

    async def __call__(self, owner: SessionOwner, new_email: str, password: str) -> None:
        """Ask for another address; whether somebody has it is not looked at.

        Raises:
            CredentialsInvalid: the password is wrong.
            LoginThrottled: it was wrong too often, or too many codes were asked for.
            EditConflict: an earlier change is being carried out.
        """
        try:
            await self._request(owner, normalise_email(new_email), password)
        except (CredentialsInvalid, LoginThrottled) as err:
            self.recorder.failed(err.reason.lower())
            raise
        self.wake()

    async def _request(self, owner: SessionOwner, email: str, password: str) -> None:
        checked, charges = await self.check_password(owner, password)
        kept = (LoginThrottled, EditConflict)
        async with (
            self.login_throttle.refunding(self.store, charges, *kept),
            self.store.transaction() as tx,
        ):
            person = await tx.credentials.lock(owner.user_id)
            if person is None or not person.still_is(checked):
                raise CredentialsInvalid
            await self.throttle.charge_mail(
                tx, person.email, person.user_id, owner.origin.address, email
            )
            await self.codes.mail(tx, person, email)
            await self.login_throttle.refund(tx, charges)


@dataclass(frozen=True, slots=True)
class RequestEmailVerification:
    """Mails a code to the address that somebody has."""

    store: Store
    throttle: LoginThrottle
    codes: EmailCodes
    wake: Wake

    async def __call__(self, user_id: uuid.UUID, origin: Origin) -> None:
        """Ask for a code.

        Raises:
            CredentialsInvalid: they have no access any more.
            LoginThrottled: too many codes were asked for.
            EditConflict: an earlier change is being carried out.
        """
        async with self.store.transaction() as tx:
            person = await tx.credentials.lock(user_id)
            if person is None or not person.may_log_in:
                raise CredentialsInvalid
            await self.throttle.charge(tx, person.email, user_id, origin.address)
            await self.codes.mail(tx, person, person.email)
        self.wake()


@dataclass(frozen=True, slots=True)
class CarryOut:
    """Tells users of an address that was proven, and its owner's earlier address of that."""

    store: Store
    book: AddressBook
    opener: SessionOpener
    wake: Wake

    async def __call__(self, change: EmailChange) -> None:
        """Carry a proven change out; done again, it changes nothing.

        Raises:
            EmailTaken: somebody else has the address; the change is forgotten.
            EditConflict: it is out of date; it is forgotten.
            PersonGone: there is nobody to have the address; it is forgotten.
            Unavailable: it is carried out later.
        """
        try:
            await self.book.change(change.user_id, change.from_email, change.to_email)
        except (EmailTaken, EditConflict, PersonGone):
            await self._forget(change, notify=False)
            raise
        await self._forget(change, notify=not change.is_verification)
        self.wake()

    async def _forget(self, change: EmailChange, *, notify: bool) -> None:
        async with self.store.transaction() as tx:
            person = await tx.credentials.lock(change.user_id)
            current = await tx.email_changes.lock(change.user_id)
            # Whoever carries it out beside us may have been first: the notice goes out once.
            if person is None or current is None or current.digest != change.digest:
                return
            await tx.email_changes.remove(change.user_id)
            if notify:
                now = self.opener.clock()
                mail = email_changed_mail(
                    self.opener.new_id(), person, change.from_email, change.to_email, now
                )
                await tx.mails.add(mail, change.user_id, now)


@dataclass(frozen=True, slots=True)
class ConfirmEmail:
    """Takes the code from a mail."""

    store: Store
    codes: EmailCodes
    carry_out: CarryOut
    recorder: AuthenticationRecorder

    async def __call__(self, user_id: uuid.UUID, code: str) -> None:
        """Give somebody the address that the code proves to be theirs.

        Raises:
            EmailCodeInvalid: no code of theirs works like that.
            EmailTaken: somebody else has the address.
            EditConflict: their address has changed meanwhile.
            Unavailable: it is carried out later by itself.
        """
        async with self.store.transaction() as tx:
            change = await self._prove(tx, user_id, code)
        # The transaction above commits that a code was wrong: raising in it would undo that.
        if change is None:
            error = EmailCodeInvalid()
            self.recorder.failed(error.reason.lower())
            raise error
        try:
            await self.carry_out(change)
        except PersonGone as err:
            raise TokenRevoked("The token says what no longer holds.") from err

    async def _prove(self, tx: Transaction, user_id: uuid.UUID, code: str) -> EmailChange | None:
        now = self.codes.opener.clock()
        person = await tx.credentials.lock(user_id)
        change = await tx.email_changes.lock(user_id)
        right = change is not None and change.accepts(self.codes.digest(user_id, code), now)
        if change is None or not right or person is None or not person.may_log_in:
            note_refusal(EmailCodeInvalid.reason)
            await tx.email_changes.count_failure(user_id)
            return None
        proven = change.proven(now)
        await tx.email_changes.save(proven)
        return proven


@dataclass(frozen=True, slots=True)
class CarryOutEmailChanges:
    """Goes on with proven changes that whoever began them has not finished."""

    store: Store
    carry_out: CarryOut

    async def carry_out_next(self) -> bool:
        """Carry one out, if one is due; tell whether it was.

        Raises:
            Unavailable: users does not answer; it is due again later.
        """
        async with self.store.transaction() as tx:
            change = await tx.email_changes.lease_proven(self.carry_out.opener.clock(), _LEASE)
        if change is None:
            return False
        try:
            await self.carry_out(change)
        except (EmailTaken, EditConflict, PersonGone):
            # Nobody waits for the answer any more, and the change is forgotten.
            return True
        return True
