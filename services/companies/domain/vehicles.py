"""Vehicles: what a company's people and devices travel on."""

import dataclasses
import enum
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.chassis.errors import EditConflict, invalid_field
from services.companies.domain.errors import CompanyRequired
from services.companies.domain.fleet_errors import OdometerDecreased
from services.companies.domain.names import checked_name

ODOMETER_M_MAX = 10_000_000_000

_PLATE = re.compile(r"[A-Z0-9][A-Z0-9 -]{0,15}", re.ASCII)
# ISO 3779 leaves out the letters that look like digits.
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}", re.ASCII)


class VehicleType(enum.StrEnum):
    """What kind of vehicle it is."""

    CAR = "car"
    VAN = "van"
    TRUCK = "truck"
    BUS = "bus"
    MOTORCYCLE = "motorcycle"
    TRAILER = "trailer"
    MACHINE = "machine"
    OTHER = "other"


class VehicleStatus(enum.StrEnum):
    """What a vehicle may be used for."""

    ACTIVE = "active"
    IN_MAINTENANCE = "in_maintenance"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class NewVehicle:
    """A vehicle to be added, as asked for."""

    company_id: uuid.UUID | None
    plate: str
    display_name: str = ""
    type: VehicleType = VehicleType.OTHER
    status: VehicleStatus = VehicleStatus.ACTIVE
    odometer_m: int = 0
    vin: str = ""
    team_id: uuid.UUID | None = None
    request_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class VehicleEdit:
    """New values for a vehicle; what is None stays as it is."""

    plate: str | None = None
    display_name: str | None = None
    """Empty for the plate."""
    type: VehicleType | None = None
    status: VehicleStatus | None = None
    odometer_m: int | None = None
    vin: str | None = None
    team_id: uuid.UUID | None = None
    leaves_team: bool = False
    allow_odometer_decrease: bool = False
    etag: str = ""
    """What the caller saw last; empty to overwrite whatever is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A vehicle of a company, as of one version; changes make new versions."""

    vehicle_id: uuid.UUID
    company_id: uuid.UUID
    plate: str
    display_name: str
    type: VehicleType
    status: VehicleStatus
    odometer_m: int
    vin: str
    """Empty if it isn't known."""
    team_id: uuid.UUID | None
    version: int
    create_time: datetime
    update_time: datetime

    @classmethod
    def create(cls, new: NewVehicle, *, vehicle_id: uuid.UUID, now: datetime) -> Self:
        """Make a vehicle: with its plate in capitals, which is its name if it has no other.

        Raises:
            CompanyRequired: it has no company.
            InvalidArgument: a field breaks a rule.
        """
        if new.company_id is None:
            raise CompanyRequired("vehicle.company_id")
        plate = _checked_plate(new.plate)
        return cls(
            vehicle_id=vehicle_id,
            company_id=new.company_id,
            plate=plate,
            display_name=checked_name("vehicle.display_name", new.display_name or plate),
            type=new.type,
            status=new.status,
            odometer_m=_checked_odometer(new.odometer_m),
            vin=_checked_vin(new.vin),
            team_id=new.team_id,
            version=1,
            create_time=now,
            update_time=now,
        )

    @property
    def etag(self) -> str:
        """A text that differs from version to version."""
        return str(self.version)

    @property
    def asked_for(self) -> Sequence[str]:
        """What a creation of this vehicle asks for, by which a repeated one is recognised."""
        facts = [self.type.value, self.status.value, str(self.odometer_m), self.vin]
        return [str(self.company_id), self.plate, self.display_name, *facts, str(self.team_id)]

    def require_current(self, etag: str) -> None:
        """Make sure that a caller who names a version has seen this one.

        Raises:
            EditConflict: they saw another one.
        """
        if etag and etag != self.etag:
            raise EditConflict("Somebody changed this vehicle meanwhile.")

    def edited(self, edit: VehicleEdit, now: datetime) -> Self:
        """Return the version after an edit: this one if the edit changes nothing.

        Raises:
            EditConflict: the edit was made on another version.
            OdometerDecreased: the odometer would go back, and nobody said that it may.
            InvalidArgument: a field breaks a rule.
        """
        self.require_current(edit.etag)
        plate = self.plate if edit.plate is None else _checked_plate(edit.plate)
        team_id = None if edit.leaves_team else edit.team_id or self.team_id
        changed = dataclasses.replace(
            self,
            plate=plate,
            display_name=self._renamed(edit, plate),
            type=edit.type or self.type,
            status=edit.status or self.status,
            odometer_m=self._odometer_after(edit),
            vin=self.vin if edit.vin is None else _checked_vin(edit.vin),
            team_id=team_id,
        )
        if changed == self:
            return self
        return dataclasses.replace(changed, version=self.version + 1, update_time=now)

    def _renamed(self, edit: VehicleEdit, plate: str) -> str:
        if edit.display_name is not None:
            return checked_name("vehicle.display_name", edit.display_name or plate)
        # Whoever is called by the plate goes on being called by the plate.
        return plate if self.display_name == self.plate else self.display_name

    def _odometer_after(self, edit: VehicleEdit) -> int:
        if edit.odometer_m is None:
            return self.odometer_m
        if edit.odometer_m < self.odometer_m and not edit.allow_odometer_decrease:
            raise OdometerDecreased(self.odometer_m)
        return _checked_odometer(edit.odometer_m)


def _checked_plate(plate: str) -> str:
    checked = plate.strip().upper()
    if not _PLATE.fullmatch(checked):
        message = "1 to 16 letters, digits, spaces and dashes are needed."
        raise invalid_field("vehicle.plate", message)
    return checked


def _checked_odometer(odometer_m: int) -> int:
    if not 0 <= odometer_m <= ODOMETER_M_MAX:
        raise invalid_field("vehicle.odometer_m", "No odometer shows this.")
    return odometer_m


def _checked_vin(vin: str) -> str:
    checked = vin.upper()
    if checked and not _VIN.fullmatch(checked):
        raise invalid_field("vehicle.vin", "17 characters are needed, without I, O and Q.")
    return checked
