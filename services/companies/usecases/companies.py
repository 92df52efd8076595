"""What can be done with companies."""

import uuid

from services.chassis.identity import Caller, CreationRequest, TenantScope
from services.companies.domain.companies import Company, CompanyEdit, NewCompany
from services.companies.ports.store import Clock, IdSource, Transactions
from services.companies.usecases.pages import Page


class CompanyUseCases:
    """The operations on companies."""

    def __init__(self, transactions: Transactions, clock: Clock, new_id: IdSource) -> None:
        self._transactions = transactions
        self._clock = clock
        self._new_id = new_id

    async def create_company(self, caller: Caller, new: NewCompany) -> Company:
        """Add a company, or return the one that an earlier try of the request added."""
        company = Company.create(new, company_id=self._new_id(), now=self._clock())
        request = None
        if new.request_id:
            request = CreationRequest.of(caller.principal_id, new.request_id, company.asked_for)
        async with self._transactions.begin() as work:
            if request and (made := await work.companies.made_by(caller.scope, request)):
                return made
            await work.companies.add(caller.scope, company, request)
        return company

    async def get_company(self, caller: Caller, company_id: uuid.UUID) -> Company:
        """Return a company in the caller's reach."""
        async with self._transactions.begin() as work:
            return await work.companies.get(caller.scope, company_id)

    async def list_companies(
        self, caller: Caller, *, after: uuid.UUID | None, limit: int
    ) -> Page[Company]:
        """Return a page of the companies in the caller's reach, oldest first."""
        async with self._transactions.begin() as work:
            # One more than asked for tells whether there is a next page.
            found = await work.companies.list_after(caller.scope, after, limit + 1)
        page = found[:limit]
        return Page(page, page[-1].company_id if len(found) > limit else None)

    async def update_company(
        self, caller: Caller, company_id: uuid.UUID, edit: CompanyEdit
    ) -> Company:
        """Change a company's name, time zone or language."""
        async with self._transactions.begin() as work:
            company = await work.companies.get_for_change(caller.scope, company_id)
            changed = company.edited(edit, self._clock())
            if changed is not company:
                await work.companies.save(caller.scope, changed)
        return changed

    async def count_companies(self) -> int:
        """Count the companies of the platform, for its metrics."""
        async with self._transactions.begin() as work:
            return await work.companies.count(TenantScope.everything())
