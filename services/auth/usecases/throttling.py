"""Attempts are limited per account and address, per account, and per address."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.auth.domain import throttling
from services.auth.domain.errors import LoginThrottled
from services.auth.domain.throttling import Charge, Limit
from services.auth.ports import Clock, Digest, Store, Transaction
from services.chassis.errors import DomainError

_NOBODY = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """How many logins may fail."""

    account_from_address: Limit
    account: Limit
    """From everywhere: it stops guessing that is spread over many addresses."""
    address: Limit
    """For all accounts: it stops trying one password on everybody."""


class LoginThrottle:
    """Charges an attempt before it is checked, so that parallel guesses can't outrun the count."""

    def __init__(
        self, limits: LoginLimits, digest: Digest, clock: Clock, purpose: str = ""
    ) -> None:
        """Count attempts of each purpose apart from those of others."""
        self._limits = limits
        self._purpose = purpose
        self._digest = digest
        self._clock = clock

    def address_digest(self, address: str) -> bytes:
        """Return what is kept of an address."""
        return self._digest(f"address:{address}")

    async def charge(
        self, tx: Transaction, email: str, user_id: uuid.UUID | None, address: str
    ) -> Sequence[Charge]:
        """Charge an attempt to prove that one is the owner of an account.

        Raises:
            LoginThrottled: not now.
        """
        return await self._charge(tx, await self._charges(tx, email, user_id, address))

    async def charge_mail(
        self, tx: Transaction, email: str, user_id: uuid.UUID, address: str, recipient: str
    ) -> Sequence[Charge]:
        """Charge an account for a mail to an address that may be anybody's.

        It counts for the recipient too: many accounts together must not fill somebody's mailbox.

        Raises:
            LoginThrottled: not now.
        """
        charges = list(await self._charges(tx, email, user_id, address))
        key = self._digest(f"{self._purpose}recipient:{recipient}")
        charges.append(Charge(key, self._limits.account))
        return await self._charge(tx, charges)

    async def charge_machine(self, tx: Transaction, name: str, address: str) -> Sequence[Charge]:
        """Charge an attempt to prove that one is a machine, whose secret is long and random.

        It is counted where it comes from alone: nobody guesses such a secret, but who knows the
        name could keep the machine out by trying.

        Raises:
            LoginThrottled: not now.
        """
        limits, purpose = self._limits, self._purpose
        pair = self._digest(f"{purpose}pair:{name}:{address}")
        everybody = self._digest(f"{purpose}address:{address}")
        charges = [Charge(pair, limits.account_from_address), Charge(everybody, limits.address)]
        return await self._charge(tx, charges)

    async def _charge(self, tx: Transaction, charges: Sequence[Charge]) -> Sequence[Charge]:
        now = self._clock()
        buckets = await tx.attempts.lock([charge.key for charge in charges], now)
        wait_s = throttling.wait_s(charges, buckets, now)
        if wait_s > 0:
            raise LoginThrottled(wait_s)
        await tx.attempts.save(throttling.charged(charges, buckets, now))
        return charges

    @asynccontextmanager
    async def refunding(
        self, store: Store, charges: Sequence[Charge], *errors: type[DomainError]
    ) -> AsyncIterator[None]:
        """Give back what an attempt cost that ends in one of some errors."""
        try:
            yield
        except errors:
            async with store.transaction() as tx:
                await self.refund(tx, charges)
            raise

    async def refund(self, tx: Transaction, charges: Sequence[Charge]) -> None:
        """Give back what an attempt cost that turned out well."""
        buckets = await tx.attempts.lock([charge.key for charge in charges], self._clock())
        await tx.attempts.save(throttling.refunded(charges, buckets))

    async def _charges(
        self, tx: Transaction, email: str, user_id: uuid.UUID | None, address: str
    ) -> Sequence[Charge]:
        limits = self._limits
        charges = [
            Charge(
                self._digest(f"{self._purpose}pair:{email}:{address}"), limits.account_from_address
            ),
            Charge(self._digest(f"{self._purpose}address:{address}"), limits.address),
        ]
        # Somebody who guesses from many addresses can keep the account's bucket full for ever. Its
        # owner gets in all the same from where they logged in before: there it doesn't count.
        # Nobody's sessions are looked up too, and as much is charged at home as elsewhere, so that
        # an unknown address takes as long as a known one.
        home = await tx.sessions.was_opened_from(user_id or _NOBODY, self.address_digest(address))
        scope, limit = "account", limits.account
        if home:
            scope, limit = f"home:{address}", limits.account_from_address
        charges.append(Charge(self._digest(f"{self._purpose}{scope}:{email}"), limit))
        return charges
