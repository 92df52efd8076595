"""Which vehicles a list holds, and in which order."""

import enum
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.companies.domain.orders import parsed_order
from services.companies.domain.search import folded, sort_name
from services.companies.domain.vehicles import Vehicle, VehicleStatus, VehicleType

VehicleSortKey = str | int | datetime

_NO_SEPARATORS = str.maketrans("", "", " -")


class VehicleOrderField(enum.StrEnum):
    """What a list may be ordered by."""

    CREATE_TIME = "create_time"
    DISPLAY_NAME = "display_name"
    PLATE = "plate"
    ODOMETER_M = "odometer_m"


@dataclass(frozen=True, slots=True)
class VehicleOrder:
    """The order of a list; vehicles with the same key are in the order of their ids."""

    field: VehicleOrderField = VehicleOrderField.CREATE_TIME
    descending: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an order such as `plate desc`; oldest first if there is none.

        Raises:
            InvalidArgument: it is no order of this list.
        """
        return cls(*parsed_order(text, VehicleOrderField)) if text else cls()

    def key(self, vehicle: Vehicle) -> VehicleSortKey:
        """Return what a vehicle is ordered by."""
        match self.field:
            case VehicleOrderField.CREATE_TIME:
                return vehicle.create_time
            case VehicleOrderField.DISPLAY_NAME:
                return sort_name(vehicle.display_name)
            case VehicleOrderField.PLATE:
                return vehicle.plate
            case VehicleOrderField.ODOMETER_M:
                return vehicle.odometer_m


@dataclass(frozen=True, slots=True)
class VehiclePosition:
    """What a page ends with: the next one goes on from there, whatever was added meanwhile."""

    key: VehicleSortKey
    vehicle_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class VehicleQuery:
    """What is asked of a list; what is None doesn't matter."""

    company_id: uuid.UUID | None = None
    status: VehicleStatus | None = None
    type: VehicleType | None = None
    team_id: uuid.UUID | None = None
    words: Sequence[str] = ()
    """Folded; each occurs in the name or in the plate."""
    order: VehicleOrder = VehicleOrder()
    assigned_to: uuid.UUID | None = None
    """Only vehicles that this person is on."""

    def matches(self, vehicle: Vehicle) -> bool:
        """Tell whether the list holds a vehicle of the scope; who is on it is not looked at."""
        return (
            self.status in {None, vehicle.status}
            and self.type in {None, vehicle.type}
            and self.team_id in {None, vehicle.team_id}
            and all(word in vehicle_search_text(vehicle) for word in self.words)
        )


def vehicle_search_text(vehicle: Vehicle) -> str:
    """Return what a vehicle is found by; plates with and without their spaces and dashes."""
    plate = vehicle.plate.casefold()
    return f"{folded(vehicle.display_name)} {plate} {plate.translate(_NO_SEPARATORS)}"
