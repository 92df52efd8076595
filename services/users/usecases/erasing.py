"""Erases everybody of a company that is being deleted, some at a time."""

import uuid

from services.chassis.audit.entries import note_resource
from services.chassis.identity import TenantScope
from services.users.domain.companies import CompanyState
from services.users.ports import Clock, Transactions

_BATCH_SIZE = 100


class EraseCompanies:
    """Follows the deletion of companies; stopped anywhere, it goes on where it was."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    async def follow(self, company_id: uuid.UUID, state: CompanyState) -> bool:
        """Hear how a company stands; tell whether there is something to be erased now.

        Whoever announces the deletion of a company that was erased is told once more that it was.
        """
        if state not in {CompanyState.DELETING, CompanyState.DELETED}:
            return False
        now = self._clock()
        async with self._transactions.begin() as work:
            pending = await work.erasures.request(company_id, now)
            if not pending and state is CompanyState.DELETING:
                await work.events.announce_company_erased(company_id, now)
        return pending

    async def __call__(self) -> bool:
        """Erase some people, all together or none; False once there is nothing left to do."""
        now = self._clock()
        async with self._transactions.begin() as work:
            company_id = await work.erasures.take_next()
            if company_id is None:
                return False
            note_resource("company", company_id, company_id)
            scope = TenantScope.company(company_id)
            people = await work.users.list_for_removal(scope, _BATCH_SIZE)
            for user in people:
                await work.users.remove(scope, user.user_id)
                await work.events.announce_purged(user.purged(now))
            if not people:
                await work.erasures.finish(company_id, now)
                await work.events.announce_company_erased(company_id, now)
        return True
