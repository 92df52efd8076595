"""What can be done with vehicles."""

import uuid
from dataclasses import replace

from services.chassis.audit.entries import note_resource
from services.chassis.errors import require_quota
from services.chassis.identity import Caller, CreationRequest, TenantScope
from services.companies.domain.vehicles import NewVehicle, Vehicle
from services.companies.ports.store import Clock, IdSource, Transactions
from services.companies.usecases.pages import Page


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
            request = CreationRequest.of(caller.principal_id, new.request_id, vehicle.asked_for)
        async with self._transactions.begin() as work:
            # Locked, so that creations count one after the other, and none outlives a deletion.
            company = await work.companies.get_for_change(caller.scope, vehicle.company_id)
            if request and (made := await work.vehicles.made_by(caller.scope, request)):
                note_resource("vehicle", made.vehicle_id, made.company_id)
                return made
            note_resource("vehicle", vehicle.vehicle_id, vehicle.company_id)
            company.require_changeable()
            if limit := company.quotas.vehicles_max:
                used = await work.vehicles.count(TenantScope.company(company.company_id))
                require_quota("vehicles", limit=limit, used=used)
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
