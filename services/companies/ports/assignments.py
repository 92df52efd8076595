"""What the use cases need of stored assignments."""

import uuid
from collections.abc import Sequence
from typing import Protocol

from services.chassis.identity import TenantScope
from services.companies.domain.assignments import Assignment, AssignmentQuery


class AssignmentRepository(Protocol):
    """People's times on vehicles. What is outside the scope does not exist."""

    async def add(self, scope: TenantScope, assignment: Assignment) -> None:
        """Store an assignment that begins.

        Raises:
            VehicleHasDriver: it is a driver's, and the vehicle has one.
            PersonHasVehicle: the person is on a vehicle.
        """

    async def get_for_change(self, scope: TenantScope, assignment_id: uuid.UUID) -> Assignment:
        """Read an assignment and keep others from ending it until the transaction ends.

        Raises:
            AssignmentNotFound: none in the scope has the id.
        """

    async def current_for_change(
        self, scope: TenantScope, vehicle_id: uuid.UUID | None, user_id: uuid.UUID | None
    ) -> Sequence[Assignment]:
        """Read who is on a vehicle and where a person is, and keep others from ending it."""

    async def end(self, scope: TenantScope, assignment: Assignment) -> None:
        """Store that an assignment has ended; one that had ended before stays as it was."""

    async def list_before(
        self, scope: TenantScope, query: AssignmentQuery, before: uuid.UUID | None, limit: int
    ) -> Sequence[Assignment]:
        """Read assignments, newest first, from the first id smaller than `before`."""

    async def is_on(self, scope: TenantScope, vehicle_id: uuid.UUID, user_id: uuid.UUID) -> bool:
        """Tell whether a person is on a vehicle."""

    async def forget_person(self, scope: TenantScope, user_id: uuid.UUID) -> None:
        """Keep the times, and no longer whose they were."""
