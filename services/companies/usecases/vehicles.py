"""What can be done with vehicles."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.chassis.audit.entries import note_resource
from services.chassis.errors import require_quota
from services.chassis.identity import Caller, CreationRequest, TenantScope
from services.companies.domain.errors import VehicleNotFound
from services.companies.domain.fleet_errors import VehicleAssigned
from services.companies.domain.vehicle_lists import VehiclePosition, VehicleQuery
from services.companies.domain.vehicles import NewVehicle, Vehicle, VehicleEdit, VehicleStatus
from services.companies.ports.store import Clock, IdSource, Transactions, UnitOfWork
from services.companies.usecases.reach import limited_to, scope_of_list


@dataclass(frozen=True, slots=True)
class VehiclePage:
    """A part of a list, and where the next part starts: None on the last."""

    vehicles: Sequence[Vehicle]
    next_after: VehiclePosition | None


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
            await _require_team(work, vehicle)
            await work.vehicles.add(caller.scope, vehicle, request)
            await work.vehicle_events.announce_vehicle(vehicle)
        return vehicle

    async def get_vehicle(self, caller: Caller, vehicle_id: uuid.UUID) -> Vehicle:
        """Return a vehicle in the caller's reach: of drivers and helpers, their own."""
        own_alone = limited_to(caller)
        async with self._transactions.begin() as work:
            vehicle = await work.vehicles.get(caller.scope, vehicle_id)
            if own_alone and not await work.assignments.is_on(caller.scope, vehicle_id, own_alone):
                raise VehicleNotFound(vehicle_id)
        return vehicle

    async def get_vehicle_of(self, company_id: uuid.UUID, vehicle_id: uuid.UUID) -> Vehicle:
        """Return a vehicle of one company, whoever asks."""
        async with self._transactions.begin() as work:
            return await work.vehicles.get(TenantScope.company(company_id), vehicle_id)

    async def list_vehicles(
        self, caller: Caller, query: VehicleQuery, *, after: VehiclePosition | None, limit: int
    ) -> VehiclePage:
        """Return a page of the vehicles in the caller's reach that the query matches."""
        query = replace(query, assigned_to=limited_to(caller))
        async with self._transactions.begin() as work:
            scope = await scope_of_list(work, caller, query.company_id)
            # One more than asked for tells whether there is a next page.
            found = await work.vehicles.list_after(scope, query, after, limit + 1)
        page = found[:limit]
        if len(found) <= limit:
            return VehiclePage(page, None)
        last = page[-1]
        return VehiclePage(page, VehiclePosition(query.order.key(last), last.vehicle_id))

    async def update_vehicle(
        self, caller: Caller, vehicle_id: uuid.UUID, edit: VehicleEdit
    ) -> Vehicle:
        """Change a vehicle; one that somebody is on does not retire."""
        async with self._transactions.begin() as work:
            vehicle = await work.vehicles.get_for_change(caller.scope, vehicle_id)
            note_resource("vehicle", vehicle_id, vehicle.company_id)
            changed = vehicle.edited(edit, self._clock())
            if changed is vehicle:
                return vehicle
            if changed.status is VehicleStatus.RETIRED:
                await _require_unassigned(work, changed)
            if changed.team_id != vehicle.team_id:
                await _require_team(work, changed)
            await work.vehicles.save(caller.scope, changed)
            await work.vehicle_events.announce_vehicle(changed)
        return changed

    async def delete_vehicle(self, caller: Caller, vehicle_id: uuid.UUID, etag: str) -> None:
        """Remove a vehicle that nobody is on."""
        async with self._transactions.begin() as work:
            vehicle = await work.vehicles.get_for_change(caller.scope, vehicle_id)
            note_resource("vehicle", vehicle_id, vehicle.company_id)
            vehicle.require_current(etag)
            await _require_unassigned(work, vehicle)
            await work.vehicles.remove(caller.scope, vehicle_id)
            await work.vehicle_events.announce_vehicle_deleted(vehicle, self._clock())


async def _require_team(work: UnitOfWork, vehicle: Vehicle) -> None:
    if vehicle.team_id is not None:
        # Of the vehicle's own company, even if the caller reaches others.
        await work.teams.get(TenantScope.company(vehicle.company_id), vehicle.team_id)


async def _require_unassigned(work: UnitOfWork, vehicle: Vehicle) -> None:
    scope = TenantScope.company(vehicle.company_id)
    if await work.assignments.current_for_change(scope, vehicle.vehicle_id, None):
        raise VehicleAssigned(vehicle.vehicle_id)
