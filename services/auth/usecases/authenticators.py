"""Having an authenticator: enrolling one, turning it on and off, and codes for when it is lost."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.auth.domain.errors import (
    CredentialsInvalid,
    TotpEnabled,
    TotpNotEnrolled,
    TwoFactorInvalid,
    TwoFactorMandatory,
)
from services.auth.domain.notices import authenticator_mail
from services.auth.domain.totp import TotpEnrollment, enrollment, new_totp
from services.auth.ports import AuthenticationRecorder, Store, Transaction, Wake
from services.auth.usecases.opening import SessionOpener, hold_company
from services.auth.usecases.passwords import PasswordCheck, SessionOwner
from services.auth.usecases.proving import Claim, Proving, counting_failures
from services.auth.usecases.second_factors import SecondFactors
from services.auth.usecases.throttling import LoginThrottle


class EnrollTotp:
    """Makes the secret of an authenticator."""

    def __init__(
        self,
        store: Store,
        throttle: LoginThrottle,
        check: PasswordCheck,
        recorder: AuthenticationRecorder,
    ) -> None:
        self._store = store
        self._throttle = throttle
        self._check_password = check
        self._recorder = recorder

    async def __call__(self, owner: SessionOwner, password: str) -> TotpEnrollment:
        """Make a secret; an earlier one that wasn't confirmed is replaced.

        Raises:
            CredentialsInvalid: the password is wrong.
            LoginThrottled: it was wrong too often, or there is too much to do now.
            TotpEnabled: there is an authenticator already.
        """
        with counting_failures(self._recorder):
            return await self._enroll(owner, password)

    async def _enroll(self, owner: SessionOwner, password: str) -> TotpEnrollment:
        checked, charges = await self._check_password(owner, password)
        totp = new_totp(owner.user_id)
        async with self._store.transaction() as tx:
            credential = await tx.credentials.lock(owner.user_id)
            if credential is None or not credential.still_is(checked):
                raise CredentialsInvalid
            before = await tx.second_factors.find(owner.user_id)
            if before is not None and before.confirmed_at is not None:
                raise TotpEnabled
            await tx.second_factors.save(totp)
            await self._throttle.refund(tx, charges)
        return enrollment(totp, credential.email)


class ConfirmTotp:
    """Turns an authenticator on."""

    def __init__(
        self,
        store: Store,
        factors: SecondFactors,
        opener: SessionOpener,
        recorder: AuthenticationRecorder,
        wake: Wake,
    ) -> None:
        self._store = store
        self._factors = factors
        self._opener = opener
        self._recorder = recorder
        self._wake = wake

    async def __call__(self, user_id: uuid.UUID, code: str) -> Sequence[str]:
        """Turn it on with a code that it shows; its owner is told by mail. Return backup codes.

        Raises:
            TotpNotEnrolled: there is none, or none any more after too many wrong codes.
            TotpEnabled: it is on already.
            TwoFactorInvalid: the code is wrong.
        """
        async with self._store.transaction() as tx:
            codes = await self._confirm(tx, user_id, code)
        # The transaction above commits that a code was wrong: raising in it would undo that.
        if codes is None:
            error = TwoFactorInvalid()
            self._recorder.failed(error.reason.lower())
            raise error
        self._wake()
        return codes

    async def _confirm(
        self, tx: Transaction, user_id: uuid.UUID, code: str
    ) -> Sequence[str] | None:
        now = self._factors.clock()
        owner = await tx.credentials.lock(user_id)
        totp = await tx.second_factors.find(user_id)
        if owner is None or totp is None:
            raise TotpNotEnrolled
        if totp.confirmed_at is not None:
            raise TotpEnabled
        accepted = totp.accepted(code, now)
        if accepted is not None:
            await tx.second_factors.save(replace(accepted, confirmed_at=now))
            mail = authenticator_mail(self._opener.new_id(), owner, now, on=True)
            await tx.mails.add(mail, user_id, now)
            return await self._factors.new_backup_codes(tx, user_id)
        missed = totp.missed()
        if missed is None:
            await tx.second_factors.remove(user_id)
        else:
            await tx.second_factors.save(missed)
        return None


class DisableTotp:
    """Forgets an authenticator."""

    def __init__(self, store: Store, prove: Proving, opener: SessionOpener, wake: Wake) -> None:
        self._store = store
        self._prove = prove
        self._opener = opener
        self._wake = wake

    async def __call__(self, claim: Claim) -> None:
        """Forget it and its backup codes; its owner is told by mail.

        Raises:
            TwoFactorMandatory: the company wants people of this role to have one.
            DomainError: as `Proving` says.
        """
        async with self._store.transaction() as tx:
            credential = await tx.credentials.find(claim.owner.user_id)
            company = await hold_company(tx, credential) if credential else None
            if credential and company and company.wants_second_factor(credential.role):
                raise TwoFactorMandatory
        # A rule that is made just now finds nobody exempt: the next refresh asks for a factor.
        async with self._prove(claim, enrolled=True) as (tx, owner):
            await tx.second_factors.remove(owner.user_id)
            now = self._opener.clock()
            mail = authenticator_mail(self._opener.new_id(), owner, now, on=False)
            await tx.mails.add(mail, owner.user_id, now)
        self._wake()


@dataclass(frozen=True, slots=True)
class RegenerateBackupCodes:
    """Replaces backup codes."""

    prove: Proving
    factors: SecondFactors

    async def __call__(self, claim: Claim) -> Sequence[str]:
        """Return new codes; earlier ones stop working.

        Raises:
            DomainError: as `Proving` says.
        """
        async with self.prove(claim, enrolled=True) as (tx, owner):
            return await self.factors.new_backup_codes(tx, owner.user_id)
