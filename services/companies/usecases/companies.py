"""What can be done with companies."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.chassis.audit.entries import note_resource
from services.chassis.errors import PermissionDenied
from services.chassis.identity import Caller, CreationRequest, Role, TenantScope
from services.companies.domain.companies import Company, CompanyEdit, CompanyState, NewCompany
from services.companies.domain.errors import CompanyNotFound
from services.companies.domain.lists import CompanyQuery, ListPosition
from services.companies.domain.plans import PLAN_ID_DEFAULT, Plan
from services.companies.ports.store import Clock, IdSource, Transactions, UnitOfWork


@dataclass(frozen=True, slots=True)
class CompanyPage:
    """A part of a list, and where the next part starts: None on the last."""

    companies: Sequence[Company]
    next_after: ListPosition | None


class CompanyUseCases:
    """The operations on companies."""

    def __init__(self, transactions: Transactions, clock: Clock, new_id: IdSource) -> None:
        self._transactions = transactions
        self._clock = clock
        self._new_id = new_id

    async def create_company(self, caller: Caller, new: NewCompany) -> Company:
        """Add a company, or return the one that an earlier try of the request added."""
        async with self._transactions.begin() as work:
            plan = await work.plans.get(new.plan_id or PLAN_ID_DEFAULT)
            company = Company.create(new, plan, company_id=self._new_id(), now=self._clock())
            request = None
            if new.request_id:
                request = CreationRequest.of(caller.principal_id, new.request_id, company.asked_for)
            if request and (made := await work.companies.made_by(caller.scope, request)):
                note_resource("company", made.company_id, made.company_id)
                return made
            note_resource("company", company.company_id, company.company_id)
            plan.require_open()
            await work.companies.add(caller.scope, company, request)
            await work.events.announce(company)
        return company

    async def get_company(self, caller: Caller, company_id: uuid.UUID) -> Company:
        """Return a company in the caller's reach, or what is left of it."""
        async with self._transactions.begin() as work:
            return await work.companies.get(caller.scope, company_id)

    async def get_standing(self, company_id: uuid.UUID) -> Company:
        """Return a company for another service, to which a deleted one never was."""
        async with self._transactions.begin() as work:
            company = await work.companies.get(TenantScope.everything(), company_id)
        if company.state is CompanyState.DELETED:
            raise CompanyNotFound(company_id)
        return company

    async def list_companies(
        self, caller: Caller, query: CompanyQuery, *, after: ListPosition | None, limit: int
    ) -> CompanyPage:
        """Return a page of the companies in the caller's reach that the query matches."""
        async with self._transactions.begin() as work:
            # One more than asked for tells whether there is a next page.
            found = await work.companies.list_after(caller.scope, query, after, limit + 1)
        page = found[:limit]
        if len(found) <= limit:
            return CompanyPage(page, None)
        return CompanyPage(page, ListPosition(query.order.key(page[-1]), page[-1].company_id))

    async def update_company(
        self, caller: Caller, company_id: uuid.UUID, edit: CompanyEdit
    ) -> Company:
        """Change what an edit names."""
        if edit.plan_id is not None and caller.role is not Role.MASTER:
            raise PermissionDenied("The operator of the platform decides about plans.")
        async with self._for_change(caller, company_id) as (work, company):
            plan = await _plan_named(work, company, edit)
            changed = company.edited(edit, self._clock(), plan)
            return await store(work, caller.scope, company, changed)

    async def suspend_company(self, caller: Caller, company_id: uuid.UUID, reason: str) -> Company:
        """Shut a company out; changes nothing if it is."""
        async with self._for_change(caller, company_id) as (work, company):
            changed = company.suspended(reason, self._clock())
            return await store(work, caller.scope, company, changed)

    async def resume_company(self, caller: Caller, company_id: uuid.UUID) -> Company:
        """Let a company go on; changes nothing if it is active."""
        async with self._for_change(caller, company_id) as (work, company):
            return await store(work, caller.scope, company, company.resumed(self._clock()))

    async def delete_company(self, caller: Caller, company_id: uuid.UUID) -> Company:
        """Begin to erase a company everywhere; changes nothing if that was begun."""
        async with self._transactions.begin() as work:
            company = await work.companies.get_for_change(caller.scope, company_id)
            note_resource("company", company_id, company_id)
            return await store(work, caller.scope, company, company.deleting(self._clock()))

    async def count_companies(self) -> int:
        """Count the companies of the platform, for its metrics."""
        async with self._transactions.begin() as work:
            return await work.companies.count(TenantScope.everything())

    @asynccontextmanager
    async def _for_change(
        self, caller: Caller, company_id: uuid.UUID
    ) -> AsyncIterator[tuple[UnitOfWork, Company]]:
        async with self._transactions.begin() as work:
            company = await work.companies.get_for_change(caller.scope, company_id)
            note_resource("company", company_id, company_id)
            company.require_changeable()
            yield work, company


async def store(
    work: UnitOfWork, scope: TenantScope, company: Company, changed: Company
) -> Company:
    """Store and announce the next version of a company, if there is one."""
    if changed is not company:
        await work.companies.save(scope, changed)
        await work.events.announce(changed)
    return changed


async def _plan_named(work: UnitOfWork, company: Company, edit: CompanyEdit) -> Plan | None:
    if edit.plan_id is None:
        return None
    plan = await work.plans.get(edit.plan_id or PLAN_ID_DEFAULT)
    if plan.plan_id != company.plan_id:
        plan.require_open()
    return plan
