"""Having an authenticator: enrolling one, turning it on and off, and codes for when it is lost."""

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

from services.auth.domain.credentials import Credential
from services.auth.domain.errors import (
    CredentialsInvalid,
    LoginThrottled,
    TotpEnabled,
    TotpNotEnrolled,
    TwoFactorInvalid,
    TwoFactorMandatory,
    TwoFactorRequired,
)
from services.auth.domain.throttling import Charge
from services.auth.domain.totp import Proof, TotpEnrollment, enrollment, new_totp
from services.auth.ports import AuthenticationRecorder, Store, Transaction
from services.auth.usecases.opening import hold_company
from services.auth.usecases.passwords import PasswordCheck, SessionOwner
from services.auth.usecases.second_factors import SecondFactors, Verdict
from services.auth.usecases.throttling import LoginThrottle


@contextmanager
def _counting_failures(recorder: AuthenticationRecorder) -> Iterator[None]:
    """Count what didn't prove who somebody is, as a login would."""
    try:
        yield
    except (CredentialsInvalid, LoginThrottled, TwoFactorInvalid, TwoFactorRequired) as err:
        recorder.failed(err.reason.lower())
        raise


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
        with _counting_failures(self._recorder):
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
        self, store: Store, factors: SecondFactors, recorder: AuthenticationRecorder
    ) -> None:
        self._store = store
        self._factors = factors
        self._recorder = recorder

    async def __call__(self, user_id: uuid.UUID, code: str) -> Sequence[str]:
        """Turn it on with a code that it shows; return backup codes.

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
        return codes

    async def _confirm(
        self, tx: Transaction, user_id: uuid.UUID, code: str
    ) -> Sequence[str] | None:
        now = self._factors.clock()
        await tx.credentials.lock(user_id)
        totp = await tx.second_factors.find(user_id)
        if totp is None:
            raise TotpNotEnrolled
        if totp.confirmed_at is not None:
            raise TotpEnabled
        accepted = totp.accepted(code, now)
        if accepted is not None:
            await tx.second_factors.save(replace(accepted, confirmed_at=now))
            return await self._factors.new_backup_codes(tx, user_id)
        missed = totp.missed()
        if missed is None:
            await tx.second_factors.remove(user_id)
        else:
            await tx.second_factors.save(missed)
        return None


class _ProvedTwice:
    """What takes a password and a second factor."""

    def __init__(
        self,
        store: Store,
        throttle: LoginThrottle,
        check: PasswordCheck,
        factors: SecondFactors,
        recorder: AuthenticationRecorder,
    ) -> None:
        self._store = store
        self._throttle = throttle
        self._check_password = check
        self._factors = factors
        self._recorder = recorder

    @asynccontextmanager
    async def _proved(
        self, owner: SessionOwner, password: str, proof: Proof
    ) -> AsyncIterator[Transaction]:
        """Begin a transaction for somebody who has proved twice who they are."""
        with _counting_failures(self._recorder):
            checked, charges = await self._check_password(owner, password)
            async with self._store.transaction() as tx:
                await self._prove(tx, checked, charges, proof)
                yield tx

    async def _prove(
        self, tx: Transaction, checked: Credential, charges: Sequence[Charge], proof: Proof
    ) -> None:
        """Judge the second factor; a wrong one costs the attempt."""
        credential = await tx.credentials.lock(checked.user_id)
        if credential is None or not credential.still_is(checked):
            raise CredentialsInvalid
        verdict = await self._factors.judge(tx, checked.user_id, proof)
        if verdict is Verdict.UNNEEDED:
            raise TotpNotEnrolled
        if verdict is Verdict.MISSING:
            raise TwoFactorRequired
        if verdict is Verdict.WRONG:
            raise TwoFactorInvalid
        await self._throttle.refund(tx, charges)


class DisableTotp(_ProvedTwice):
    """Forgets an authenticator."""

    async def __call__(self, owner: SessionOwner, password: str, proof: Proof) -> None:
        """Forget it and its backup codes.

        Raises:
            CredentialsInvalid: the password is wrong.
            TwoFactorRequired: no code was given.
            TwoFactorInvalid: the code is wrong or was used.
            TotpNotEnrolled: there is none.
            TwoFactorMandatory: the company wants people of this role to have one.
            LoginThrottled: something was wrong too often, or there is too much to do now.
        """
        async with self._store.transaction() as tx:
            credential = await tx.credentials.find(owner.user_id)
            company = await hold_company(tx, credential) if credential else None
            if credential and company and company.wants_second_factor(credential.role):
                raise TwoFactorMandatory
        # A rule that is made just now finds nobody exempt: the next refresh asks for a factor.
        async with self._proved(owner, password, proof) as tx:
            await tx.second_factors.remove(owner.user_id)


class RegenerateBackupCodes(_ProvedTwice):
    """Replaces backup codes."""

    async def __call__(self, owner: SessionOwner, password: str, proof: Proof) -> Sequence[str]:
        """Return new codes; earlier ones stop working.

        Raises:
            CredentialsInvalid: the password is wrong.
            TwoFactorRequired: no code was given.
            TwoFactorInvalid: the code is wrong or was used.
            TotpNotEnrolled: there is no authenticator.
            LoginThrottled: something was wrong too often, or there is too much to do now.
        """
        async with self._proved(owner, password, proof) as tx:
            return await self._factors.new_backup_codes(tx, owner.user_id)
