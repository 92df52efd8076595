"""What the use cases need of stored vehicles."""

import uuid
from collections.abc import Sequence
from typing import Protocol

from services.chassis.identity import CreationRequest, TenantScope
from services.companies.domain.vehicles import Vehicle


class VehicleRepository(Protocol):
    """Vehicles. What is outside the scope does not exist."""

    async def add(
        self, scope: TenantScope, vehicle: Vehicle, request: CreationRequest | None = None
    ) -> None:
        """Store a vehicle.

        Raises:
            PlateTaken: the company has a vehicle with the plate.
            CompanyNotFound: the vehicle's company is outside the scope.
        """

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> Vehicle | None:
        """Find the vehicle that an earlier try of a request made, as it stands now.

        Further tries wait here until the transaction of the first has ended.

        Raises:
            RequestIdReused: the earlier request asked for something else.
        """

    async def get(self, scope: TenantScope, vehicle_id: uuid.UUID) -> Vehicle:
        """Read a vehicle.

        Raises:
            VehicleNotFound: none in the scope has the id.
        """

    async def list_after(
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[Vehicle]:
        """Read vehicles in the order of their ids, from the first id greater than `after`."""

    async def count(self, scope: TenantScope) -> int:
        """Count the vehicles."""
