"""What the use cases need of stored vehicles, and what they tell others about them."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.chassis.identity import CreationRequest, TenantScope
from services.companies.domain.vehicle_lists import VehiclePosition, VehicleQuery
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
            TeamNotFound: the company has no such team.
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

    async def get_for_change(self, scope: TenantScope, vehicle_id: uuid.UUID) -> Vehicle:
        """Read a vehicle and keep others from changing it until the transaction ends.

        Raises:
            VehicleNotFound: none in the scope has the id.
        """

    async def list_after(
        self, scope: TenantScope, query: VehicleQuery, after: VehiclePosition | None, limit: int
    ) -> Sequence[Vehicle]:
        """Read vehicles that the query matches, in its order, from the first behind `after`."""

    async def save(self, scope: TenantScope, vehicle: Vehicle) -> None:
        """Store the next version of a vehicle.

        Raises:
            PlateTaken: the company has another vehicle with the plate.
            TeamNotFound: the company has no such team.
            EditConflict: the stored version is not the one before.
        """

    async def count(self, scope: TenantScope) -> int:
        """Count the vehicles."""

    async def leave_team(self, scope: TenantScope, team_id: uuid.UUID, now: datetime) -> None:
        """Take every vehicle out of a team."""

    async def remove(self, scope: TenantScope, vehicle_id: uuid.UUID) -> None:
        """Erase a vehicle and the request that made it."""


class VehicleEvents(Protocol):
    """Events that are kept exactly if the transaction commits."""

    async def announce_vehicle(self, vehicle: Vehicle) -> None:
        """Tell how a vehicle stands."""

    async def announce_vehicle_deleted(self, vehicle: Vehicle, now: datetime) -> None:
        """Tell that a vehicle is no more; it is given as it stood last."""
