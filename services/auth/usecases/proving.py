"""Proving anew who one is, within a session: for what must outlive it, or guards the account."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from services.auth.domain.credentials import Credential
from services.auth.domain.errors import (
    CredentialsInvalid,
    LoginThrottled,
    TotpNotEnrolled,
    TwoFactorInvalid,
    TwoFactorRequired,
)
from services.auth.domain.throttling import Charge
from services.auth.domain.totp import Proof
from services.auth.ports import AuthenticationRecorder, Store, Transaction
from services.auth.usecases.passwords import PasswordCheck, SessionOwner
from services.auth.usecases.second_factors import SecondFactors, Verdict
from services.auth.usecases.throttling import LoginThrottle
from services.chassis.errors import DomainError


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody within a session offers to show that it is theirs."""

    owner: SessionOwner
    password: str = field(repr=False)
    proof: Proof


@contextmanager
def counting_failures(recorder: AuthenticationRecorder) -> Iterator[None]:
    """Count what didn't prove who somebody is, as a login would."""
    try:
        yield
    except (CredentialsInvalid, LoginThrottled, TwoFactorInvalid, TwoFactorRequired) as err:
        recorder.failed(err.reason.lower())
        raise


@dataclass(frozen=True, slots=True)
class Proving:
    """Asks for all that a login asks for: the password, and a second factor of who has one."""

    store: Store
    throttle: LoginThrottle
    check_password: PasswordCheck
    factors: SecondFactors
    recorder: AuthenticationRecorder

    @asynccontextmanager
    async def __call__(
        self, claim: Claim, *, enrolled: bool = False
    ) -> AsyncIterator[tuple[Transaction, Credential]]:
        """Begin a transaction for somebody who proves who they are; they are locked in it.

        Args:
            claim: what they offer.
            enrolled: whether this is for those alone who have a second factor.

        Raises:
            CredentialsInvalid: the password is wrong.
            TwoFactorRequired: no code was given, and they have an authenticator.
            TwoFactorInvalid: the code is wrong or was used.
            TotpNotEnrolled: they have none, and this is for those who do.
            LoginThrottled: something was wrong too often, or there is too much to do now.
        """
        with counting_failures(self.recorder):
            checked, charges = await self.check_password(claim.owner, claim.password)
            async with self._refunding(charges), self.store.transaction() as tx:
                person = await self._prove(tx, checked, claim.proof, enrolled=enrolled)
                await self.throttle.refund(tx, charges)
                yield tx, person

    @asynccontextmanager
    async def _refunding(self, charges: Sequence[Charge]) -> AsyncIterator[None]:
        """Give back what an attempt cost, unless what was offered is wrong."""
        try:
            yield
        except (CredentialsInvalid, TwoFactorInvalid):
            raise
        except DomainError:
            async with self.store.transaction() as tx:
                await self.throttle.refund(tx, charges)
            raise

    async def _prove(
        self, tx: Transaction, checked: Credential, proof: Proof, *, enrolled: bool
    ) -> Credential:
        person = await tx.credentials.lock(checked.user_id)
        if person is None or not person.still_is(checked):
            raise CredentialsInvalid
        match await self.factors.judge(tx, checked.user_id, proof):
            case Verdict.UNNEEDED if enrolled:
                raise TotpNotEnrolled
            case Verdict.MISSING:
                raise TwoFactorRequired
            case Verdict.WRONG:
                raise TwoFactorInvalid
        return person
