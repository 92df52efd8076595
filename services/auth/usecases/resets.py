"""Setting a new password in place of a forgotten one."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.auth.domain.credentials import (
    Credential,
    new_code,
    normalise_email,
    spelled_code,
)
from services.auth.domain.errors import CompanySuspended, LoginThrottled, ResetCodeInvalid
from services.auth.domain.letters import reset_mail, reset_notice_mail
from services.auth.domain.passwords import check_form, normalise_password
from services.auth.domain.resets import (
    RESET_CODE_SIZE_BYTES,
    PasswordReset,
    ResetRequest,
    reset_digest_text,
)
from services.auth.domain.sessions import Origin
from services.auth.domain.throttling import Charge
from services.auth.ports import (
    AuthenticationRecorder,
    Digest,
    RevocationHint,
    Store,
    Transaction,
    Wake,
)
from services.auth.usecases.new_passwords import NewPasswords
from services.auth.usecases.opening import SessionOpener, end_sessions, hold_company
from services.auth.usecases.throttling import LoginThrottle
from services.chassis.audit.entries import note_account, note_refusal, note_resource

_NOBODY = uuid.UUID(int=0)
_FIELD = "new_password"


@dataclass(frozen=True, slots=True)
class ResetCodes:
    """Makes codes, and knows them again by a keyed hash."""

    opener: SessionOpener
    hash: Digest

    def digest(self, user_id: uuid.UUID, code: str) -> bytes:
        """Digest a person's code as it is stored: a plain hash of so few bits could be undone."""
        return self.hash(reset_digest_text(user_id, spelled_code(code)))

    def new(self, user_id: uuid.UUID) -> tuple[str, PasswordReset]:
        """Make a code for a person."""
        code = new_code(RESET_CODE_SIZE_BYTES)
        expires_at = self.opener.clock() + self.opener.lifetimes.password_reset
        return code, PasswordReset(user_id, self.digest(user_id, code), expires_at)


class RequestPasswordReset:
    """Queues a request for a code; who it is for is found out later, by `AnswerResetRequests`.

    So the call does the same whether or not anybody has the address, and takes the same time.
    """

    def __init__(
        self,
        store: Store,
        throttle: LoginThrottle,
        opener: SessionOpener,
        recorder: AuthenticationRecorder,
        wake: Wake,
    ) -> None:
        self._store = store
        self._throttle = throttle
        self._opener = opener
        self._recorder = recorder
        self._wake = wake

    async def __call__(self, email: str, origin: Origin) -> None:
        """Ask for a code.

        Raises:
            LoginThrottled: asked too often for this account or from this address.
        """
        address = normalise_email(email)
        request = ResetRequest(self._opener.new_id(), address, self._opener.clock())
        async with self._store.transaction() as tx:
            owner = await tx.credentials.find_by_email(address)
            user_id = owner.user_id if owner else None
            if owner is not None:
                # Whoever asks has not proved to be anybody.
                note_resource("user", owner.user_id, owner.company_id)
            await self._throttle.charge(tx, address, user_id, origin.address)
            await tx.password_resets.ask(request)
        self._recorder.reset_requested()
        self._wake()


class AnswerResetRequests:
    """Mails codes to those who asked and may log in."""

    def __init__(self, store: Store, codes: ResetCodes) -> None:
        self._store = store
        self._codes = codes
        self._opener = codes.opener

    async def answer_next(self) -> bool:
        """Answer one request, if there is one; tell whether there was."""
        async with self._store.transaction() as tx:
            request = await tx.password_resets.take_request()
            if request is None:
                return False
            now = self._opener.clock()
            owner = await tx.credentials.find_by_email(request.email)
            if owner is not None:
                owner = await tx.credentials.lock(owner.user_id)
            in_time = now < request.requested_at + self._opener.lifetimes.password_reset
            if owner is not None and owner.may_log_in and in_time:
                await self._mail_code(tx, owner, now)
        return True

    async def _mail_code(self, tx: Transaction, owner: Credential, now: datetime) -> None:
        code, reset = self._codes.new(owner.user_id)
        await tx.password_resets.save(reset)
        mail = reset_mail(self._opener.new_id(), owner, code, reset.expires_at)
        await tx.mails.add(mail, owner.user_id, now)


class ResetPassword:
    """Sets a new password with a code that was mailed."""

    def __init__(
        self,
        store: Store,
        throttle: LoginThrottle,
        passwords: NewPasswords,
        codes: ResetCodes,
        hint: RevocationHint,
        recorder: AuthenticationRecorder,
        wake: Wake,
    ) -> None:
        self._store = store
        self._throttle = throttle
        self._passwords = passwords
        self._codes = codes
        self._opener = codes.opener
        self._hint = hint
        self._recorder = recorder
        self._wake = wake

    async def __call__(self, email: str, code: str, new_password: str, origin: Origin) -> None:
        """Set a password and end all sessions of its owner.

        Raises:
            ResetCodeInvalid: no such code of this account's works.
            CompanySuspended: the code is right, and goes on working until it expires.
            PasswordTooWeak: nothing has changed, and the code still works.
            LoginThrottled: too many attempts before, or too much to do now.
        """
        try:
            await self._reset(normalise_email(email), code, new_password, origin)
        except (ResetCodeInvalid, CompanySuspended, LoginThrottled) as err:
            self._recorder.failed(err.reason.lower())
            raise
        await self._hint.announce()
        self._wake()

    async def _reset(self, email: str, code: str, new_password: str, origin: Origin) -> None:
        plain = normalise_password(new_password)
        check_form(plain, email, _FIELD)
        async with self._store.transaction() as tx:
            owner = await tx.credentials.find_by_email(email)
            user_id = owner.user_id if owner else None
            if owner is not None:
                note_account(owner.user_id, owner.role, owner.company_id)
            charges = await self._throttle.charge(tx, email, user_id, origin.address)
        # Hashed before the code is looked at: wrong codes, and codes of nobody's, take as long.
        async with self._throttle.refunding(self._store, charges, LoginThrottled):
            password_hash = await self._passwords.hashed(plain, email, _FIELD)
        async with self._store.transaction() as tx:
            refusal: ResetCodeInvalid | CompanySuspended | None = None
            accepted = await self._accept(tx, user_id or _NOBODY, code)
            company = None if accepted is None else await hold_company(tx, accepted)
            if accepted is None:
                refusal = ResetCodeInvalid()
            elif company is not None and company.is_closed:
                await self._throttle.refund(tx, charges)
                refusal = CompanySuspended(company.company_id)
            else:
                # Only now may the answer depend on the name; a refusal leaves the code as it was.
                name = accepted.display_name
                await self._passwords.require_strong(plain, email, _FIELD, name)
                await self._set(tx, accepted, password_hash, charges)
            if refusal is not None:
                note_refusal(refusal.reason)
        # The transaction above commits that a code was wrong: raising in it would undo that.
        if refusal is not None:
            raise refusal

    async def _accept(self, tx: Transaction, user_id: uuid.UUID, code: str) -> Credential | None:
        """Return whose code it is; a wrong one is counted."""
        owner = await tx.credentials.lock(user_id)
        reset = await tx.password_resets.lock(user_id)
        digest = self._codes.digest(user_id, code)
        right = reset is not None and reset.accepts(digest, self._opener.clock())
        if not right or owner is None or not owner.may_log_in:
            await tx.password_resets.count_failure(user_id)
            return None
        return owner

    async def _set(
        self, tx: Transaction, owner: Credential, password_hash: str, charges: Sequence[Charge]
    ) -> None:
        now, user_id = self._opener.clock(), owner.user_id
        await tx.password_resets.remove(user_id)
        await tx.credentials.save(owner.with_password(password_hash), now)
        await tx.mails.add(reset_notice_mail(self._opener.new_id(), owner, now), user_id, now)
        sessions = await tx.sessions.lock_open(user_id)
        await self._throttle.refund(tx, charges)
        await end_sessions(tx, sessions, self._opener)
