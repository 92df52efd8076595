"""Who goes on which vehicle, and who was."""

import uuid

from services.chassis.audit.entries import note_resource
from services.chassis.identity import Caller, TenantScope
from services.companies.domain.assignments import Assignment, AssignmentQuery
from services.companies.ports.people import PersonDirectory
from services.companies.ports.store import Clock, IdSource, Transactions, UnitOfWork
from services.companies.usecases.pages import Page, page_of
from services.companies.usecases.reach import scope_of_list


class AssignmentUseCases:
    """The operations on assignments."""

    def __init__(
        self,
        transactions: Transactions,
        people: PersonDirectory,
        clock: Clock,
        new_id: IdSource,
    ) -> None:
        self._transactions = transactions
        self._people = people
        self._clock = clock
        self._new_id = new_id

    async def assign_person(
        self, caller: Caller, vehicle_id: uuid.UUID, user_id: uuid.UUID, *, replace: bool
    ) -> Assignment:
        """Put a person on a vehicle; `replace` ends what stands in the way."""
        async with self._transactions.begin() as work:
            vehicle = await work.vehicles.get(caller.scope, vehicle_id)
        note_resource("vehicle", vehicle_id, vehicle.company_id)
        # Asked outside of a transaction, which is not to wait for another service.
        person = await self._people.get(vehicle.company_id, user_id)
        scope = TenantScope.company(vehicle.company_id)
        async with self._transactions.begin() as work:
            vehicle = await work.vehicles.get_for_change(scope, vehicle_id)
            # What users announces meanwhile waits for this transaction, or was noted before it.
            person = await work.people.keep(scope, person)
            now = self._clock()
            wanted = Assignment.begin(vehicle, person, assignment_id=self._new_id(), now=now)
            current = await work.assignments.current_for_change(scope, vehicle_id, user_id)
            for other in wanted.obstacles(current):
                if wanted.is_same(other):
                    return other
                if not replace:
                    raise wanted.refuse(other)
                await work.assignments.end(scope, other.ended(now))
            await work.assignments.add(scope, wanted)
        return wanted

    async def end_assignment(self, caller: Caller, assignment_id: uuid.UUID) -> Assignment:
        """Take a person off a vehicle; changes nothing if that was done."""
        async with self._transactions.begin() as work:
            assignment = await work.assignments.get_for_change(caller.scope, assignment_id)
            note_resource("assignment", assignment_id, assignment.company_id)
            if assignment.end_time is None:
                assignment = assignment.ended(self._clock())
                await work.assignments.end(caller.scope, assignment)
        return assignment

    async def list_assignments(
        self, caller: Caller, query: AssignmentQuery, *, before: uuid.UUID | None, limit: int
    ) -> Page[Assignment]:
        """Return a page of the assignments in the caller's reach, newest first."""
        async with self._transactions.begin() as work:
            scope = await scope_of_list(work, caller, query.company_id)
            await _require_known_vehicle(work, scope, query.vehicle_id)
            found = await work.assignments.list_before(scope, query, before, limit + 1)
        return page_of(found, limit, lambda assignment: assignment.assignment_id)


async def _require_known_vehicle(
    work: UnitOfWork, scope: TenantScope, vehicle_id: uuid.UUID | None
) -> None:
    """Make sure that there is a vehicle or that there was one that people were on."""
    if vehicle_id is None:
        return
    of_vehicle = AssignmentQuery(vehicle_id=vehicle_id)
    if not await work.assignments.list_before(scope, of_vehicle, None, 1):
        await work.vehicles.get(scope, vehicle_id)
