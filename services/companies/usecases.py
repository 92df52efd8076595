"""What can be done with companies and vehicles; transactions begin and end here."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from services.chassis.identity import Caller, CreationRequest, TenantScope
from services.companies.domain import (
    Company,
    CompanyEdit,
    NewCompany,
    NewVehicle,
    Vehicle,
)
from services.companies.ports import Clock, IdSource, Transactions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, and where the next part starts: None on the last."""

    items: Sequence[T]
    next_after: uuid.UUID | None


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
            request = CreationRequest.of(caller.user_id, new.request_id, company.asked_for)
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


class VehicleUseCases:
    """The operations on vehicles."""

    def __init__(self, transactions: Transactions, clock: Clock, new_id: IdSource) -> None:
        self._transactions = transactions
        self._clock = clock
        self._new_id = new_id

    async def create_vehicle(self, caller: Caller, new: NewVehicle) -> Vehicle:
        """Add a vehicle, or return the one that an earlier try of the request added."""
        new = replace(new, company_id=new.company_id or caller.company_id)
        vehicle = Vehicle.create(new, vehicle_id=self._new_id(), now=self._clock())
        request = None
        if new.request_id:
            request = CreationRequest.of(caller.user_id, new.request_id, vehicle.asked_for)
        async with self._transactions.begin() as work:
            await work.companies.get(caller.scope, vehicle.company_id)
            if request and (made := await work.vehicles.made_by(caller.scope, request)):
                return made
            await work.vehicles.add(caller.scope, vehicle, request)
        return vehicle

    async def get_vehicle(self, caller: Caller, vehicle_id: uuid.UUID) -> Vehicle:
        """Return a vehicle in the caller's reach."""
        async with self._transactions.begin() as work:
            return await work.vehicles.get(caller.scope, vehicle_id)

    async def get_vehicle_of(self, company_id: uuid.UUID, vehicle_id: uuid.UUID) -> Vehicle:
        """Return a vehicle of one company, whoever asks."""
        async with self._transactions.begin() as work:
            return await work.vehicles.get(TenantScope.company(company_id), vehicle_id)

    async def list_vehicles(
        self,
        caller: Caller,
        *,
        company_id: uuid.UUID | None,
        after: uuid.UUID | None,
        limit: int,
    ) -> Page[Vehicle]:
        """Return a page of the vehicles in the caller's reach, oldest first."""
        scope = caller.scope
        async with self._transactions.begin() as work:
            if company_id is not None:
                await work.companies.get(caller.scope, company_id)
                scope = TenantScope.company(company_id)
            found = await work.vehicles.list_after(scope, after, limit + 1)
        page = found[:limit]
        return Page(page, page[-1].vehicle_id if len(found) > limit else None)
