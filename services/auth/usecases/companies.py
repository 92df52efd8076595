"""Following companies: who is shut out with theirs, and who is forgotten with it."""

import uuid
from collections.abc import Awaitable, Callable

from services.auth.domain.companies import CompanyChange, CompanyState
from services.auth.domain.tokens import Lifetimes, Revocation
from services.auth.ports import Clock, RevocationHint, Store, Transaction
from services.auth.usecases.opening import SessionOpener, end_sessions
from services.chassis.audit.entries import note_resource
from services.chassis.identity import TenantScope

CONSUMER = "auth-companies-changed"

EraseLog = Callable[[uuid.UUID], Awaitable[object]]
"""Destroys the key to the personal data in a company's audit log."""

_SWEEPING_WORK = "companies"
_SESSIONS_AT_ONCE = 200
_PEOPLE_AT_ONCE = 50
_KEYS_AT_ONCE = 200


class ApplyCompanyChange:
    """Brings a company up to what companies says of it."""

    def __init__(
        self, store: Store, lifetimes: Lifetimes, clock: Clock, hint: RevocationHint
    ) -> None:
        self._store = store
        self._lifetimes = lifetimes
        self._clock = clock
        self._hint = hint

    async def __call__(self, change: CompanyChange) -> None:
        """Apply a change; one that was applied before, or is older, changes nothing."""
        async with self._store.transaction() as tx:
            if not await tx.first_delivery(CONSUMER, change.event_id):
                return
            closed = await self._apply(tx, change)
        if closed:
            await self._hint.announce()

    async def _apply(self, tx: Transaction, change: CompanyChange) -> bool:
        """Apply a change; tell whether it shut people and devices out."""
        before = await tx.companies.lock(change.company_id)
        if change.state is CompanyState.DELETING and before.erased_at is not None:
            # Who asks again has missed the answer.
            await tx.company_events.announce_erased(change.company_id, before.erased_at)
        if change.version <= before.version:
            return False
        # Read now that nobody holds the company any more: whoever did has signed by then.
        now = self._clock()
        after = before.changed(change, now)
        await tx.companies.save(after)
        if after.closed_at == before.closed_at:
            return False
        await tx.revocations.append(
            [Revocation.of_company(change.company_id, self._lifetimes, now)]
        )
        return True


class EndClosedSessions:
    """Marks the sessions as ended that have ended with their company's closing.

    They are refused from the moment of the closing; this makes lists and counts say so, and
    revokes them one by one, for tokens that a clock ahead of ours has issued "later".
    """

    def __init__(self, store: Store, opener: SessionOpener, hint: RevocationHint) -> None:
        self._store = store
        self._opener = opener
        self._hint = hint

    async def end_some(self) -> bool:
        """End some, unless another replica is at it; tell whether there may be more."""
        async with self._store.transaction() as tx:
            if not await tx.try_exclude_others(_SWEEPING_WORK):
                return False
            lingering = await tx.companies.find_lingering()
            if lingering is None:
                return False
            company = await tx.companies.hold(lingering.company_id)
            note_resource("company", company.company_id, company.company_id)
            # While it is closed, nobody opens a session, whatever the clock said that opened one.
            opened_until = None if company.is_closed else company.closed_at
            sessions = await tx.sessions.lock_open_of(
                company.company_id, opened_until, _SESSIONS_AT_ONCE
            )
            await end_sessions(tx, sessions, self._opener)
        if sessions:
            await self._hint.announce()
        else:
            # Not above: whoever holds a company must not change it, or two wait for each other.
            async with self._store.transaction() as tx:
                await tx.companies.note_swept(company)
        return True


class EraseCompanies:
    """Forgets the people of companies that are being deleted, and says when it is done."""

    def __init__(self, store: Store, clock: Clock, erase_log: EraseLog) -> None:
        """Erase personal data in the audit log by this."""
        self._store = store
        self._clock = clock
        self._erase_log = erase_log

    async def erase_some(self) -> bool:
        """Erase some, unless another replica is at it; tell whether there may be more."""
        async with self._store.transaction() as tx:
            if not await tx.try_exclude_others(_SWEEPING_WORK):
                return False
            company = await tx.companies.find_to_erase()
            if company is None:
                return False
            note_resource("company", company.company_id, company.company_id)
            if not await self._erase_held(tx, company.company_id):
                await self._finish(tx, company.company_id)
        return True

    async def _erase_held(self, tx: Transaction, company_id: uuid.UUID) -> bool:
        """Erase some of what auth holds of a company; tell whether there was any.

        Whatever auth comes to hold of companies has to be erased here.
        """
        people = await tx.credentials.lock_some_of(company_id, _PEOPLE_AT_ONCE)
        for person in people:
            # A refresh holds its session: what it signs, it signs before the person is gone.
            await tx.sessions.lock_open(person.user_id)
            await tx.credentials.remove(person.user_id)
        if people:
            return True
        return await tx.api_keys.remove_some(TenantScope.company(company_id), _KEYS_AT_ONCE) > 0

    async def _finish(self, tx: Transaction, company_id: uuid.UUID) -> None:
        """Note that nothing is left: who would add somebody holds the company, and sees it go."""
        # Commits by itself, and does nothing the second time.
        await self._erase_log(company_id)
        company = await tx.companies.lock(company_id)
        now = self._clock()
        await tx.companies.save(company.erased(now))
        await tx.company_events.announce_erased(company_id, now)
