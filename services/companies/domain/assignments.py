"""People's times on vehicles."""

import dataclasses
import enum
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.chassis.identity import Role
from services.companies.domain.fleet_errors import (
    PersonHasVehicle,
    PersonRoleUnfit,
    VehicleHasDriver,
    VehicleRetired,
)
from services.companies.domain.people import Person
from services.companies.domain.vehicles import Vehicle, VehicleStatus


class Duty(enum.StrEnum):
    """What a person does on a vehicle."""

    DRIVER = "driver"
    HELPER = "helper"


_DUTIES: Mapping[Role, Duty] = {Role.DRIVER: Duty.DRIVER, Role.HELPER: Duty.HELPER}


def duty_of(person: Person) -> Duty:
    """Return what a person does on vehicles, which their role decides.

    Raises:
        PersonRoleUnfit: nothing.
    """
    duty = _DUTIES.get(person.role)
    if duty is None:
        raise PersonRoleUnfit(person.user_id, person.role)
    return duty


def may_have_duty(person: Person, duty: Duty) -> bool:
    """Tell whether a person may have a duty as they stand now."""
    return person.active and _DUTIES.get(person.role) is duty


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A person's time on a vehicle; history is made of these."""

    assignment_id: uuid.UUID
    company_id: uuid.UUID
    vehicle_id: uuid.UUID
    plate: str
    """The vehicle's at the beginning: the vehicle may be gone when this is read."""
    user_id: uuid.UUID | None
    """None once the person was erased."""
    duty: Duty
    start_time: datetime
    end_time: datetime | None = None

    @classmethod
    def begin(
        cls, vehicle: Vehicle, person: Person, *, assignment_id: uuid.UUID, now: datetime
    ) -> Self:
        """Put a person on a vehicle.

        Raises:
            VehicleRetired: it is out of use.
            UserDeactivated: the person has no access.
            PersonRoleUnfit: the person is neither a driver nor a helper.
        """
        if vehicle.status is VehicleStatus.RETIRED:
            raise VehicleRetired(vehicle.vehicle_id)
        person.require_active()
        return cls(
            assignment_id=assignment_id,
            company_id=vehicle.company_id,
            vehicle_id=vehicle.vehicle_id,
            plate=vehicle.plate,
            user_id=person.user_id,
            duty=duty_of(person),
            start_time=now,
        )

    def ended(self, now: datetime) -> Self:
        """Return it as it is once it has ended.

        Clocks of replicas differ: it ends no sooner than it began all the same.
        """
        return dataclasses.replace(self, end_time=max(now, self.start_time))

    def is_same(self, other: "Assignment") -> bool:
        """Tell whether another one puts the same person on the same vehicle for the same."""
        return (self.vehicle_id, self.user_id, self.duty) == (
            other.vehicle_id,
            other.user_id,
            other.duty,
        )

    def obstacles(self, current: Sequence["Assignment"]) -> Sequence["Assignment"]:
        """Find, among present assignments, those that don't go together with this one."""
        return [
            other
            for other in current
            if other.user_id == self.user_id
            or (other.vehicle_id == self.vehicle_id and Duty.DRIVER is self.duty is other.duty)
        ]

    def refuse(self, obstacle: "Assignment") -> VehicleHasDriver | PersonHasVehicle:
        """Say why this can't begin while another one lasts."""
        if obstacle.user_id == self.user_id and self.user_id is not None:
            return PersonHasVehicle(self.user_id, obstacle.vehicle_id)
        return VehicleHasDriver(self.vehicle_id, obstacle.user_id)


@dataclass(frozen=True, slots=True)
class AssignmentQuery:
    """What is asked of the history; what is None doesn't matter."""

    company_id: uuid.UUID | None = None
    vehicle_id: uuid.UUID | None = None
    user_id: uuid.UUID | None = None
    current_only: bool = False

    def matches(self, assignment: Assignment) -> bool:
        """Tell whether the list holds an assignment of the scope."""
        return (
            self.company_id in {None, assignment.company_id}
            and self.vehicle_id in {None, assignment.vehicle_id}
            and self.user_id in {None, assignment.user_id}
            and not (self.current_only and assignment.end_time)
        )
