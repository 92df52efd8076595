"""How the deletion of a company goes on after it was asked for."""

import uuid
from datetime import datetime, timedelta

from services.chassis.audit.entries import acting, note_resource
from services.chassis.identity import TenantScope
from services.companies.domain.companies import Company, CompanyState
from services.companies.domain.errors import CompanyNotFound
from services.companies.ports.store import Clock, Transactions
from services.companies.usecases.companies import store

_COMPANY_BATCH_SIZE = 100
_ERASURE_BATCH_SIZE = 500


class NoteErased:
    """Notes that a service holds nothing of a company any more."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    async def __call__(self, company_id: uuid.UUID, service: str) -> None:
        """Note it; what is no news, or about no company that is being deleted, is ignored."""
        scope = TenantScope.company(company_id)
        async with self._transactions.begin() as work:
            try:
                company = await work.companies.get_for_change(scope, company_id)
            except CompanyNotFound:
                return
            changed = company.reported(service, self._clock())
            if changed is not company:
                await work.companies.note_reports(scope, changed)


class AdvanceDeletions:
    """Goes on with every deletion: asks again whoever is silent, and erases what is here last.

    Each step is a transaction of its own that finds in the database what is left to do, so that it
    doesn't matter which replica takes it, or where one was stopped.
    """

    def __init__(self, transactions: Transactions, clock: Clock, reminder: timedelta) -> None:
        """Ask again after this time."""
        self._transactions = transactions
        self._clock = clock
        self._reminder = reminder

    async def __call__(self) -> None:
        """Take every step that can be taken now."""
        after: uuid.UUID | None = None
        while True:
            async with self._transactions.begin() as work:
                companies = await work.companies.list_deleting(
                    TenantScope.everything(), after, _COMPANY_BATCH_SIZE
                )
            for company in companies:
                with acting("companies", "EraseCompany"):
                    note_resource("company", company.company_id, company.company_id)
                    await self._advance(company)
            if len(companies) < _COMPANY_BATCH_SIZE:
                return
            after = companies[-1].company_id

    async def _advance(self, company: Company) -> None:
        scope, now = TenantScope.company(company.company_id), self._clock()
        if _erasable(company):
            while await self._erase_some(scope, company.company_id):
                pass
        elif not self._reminder_due(company, now):
            return
        async with self._transactions.begin() as work:
            company = await work.companies.get_for_change(scope, company.company_id)
            if _erasable(company):
                await store(work, scope, company, company.deleted(now))
            elif self._reminder_due(company, now):
                await store(work, scope, company, company.asked_again(now))

    async def _erase_some(self, scope: TenantScope, company_id: uuid.UUID) -> int:
        async with self._transactions.begin() as work:
            # Replicas that erase at once wait for one another here, and not for single rows, which
            # would have to be in one order for everybody: of a large table that is the wrong index.
            await work.companies.get_for_change(scope, company_id)
            return await work.holdings.erase_some(scope, _ERASURE_BATCH_SIZE)

    def _reminder_due(self, company: Company, now: datetime) -> bool:
        return (
            company.state is CompanyState.DELETING
            and company.deletion is not None
            and not company.deletion.all_reported
            and company.deletion.ask_time + self._reminder <= now
        )


def _erasable(company: Company) -> bool:
    return (
        company.state is CompanyState.DELETING
        and company.deletion is not None
        and company.deletion.all_reported
    )
