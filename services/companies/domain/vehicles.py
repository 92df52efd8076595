"""Vehicles: what a company's devices travel on."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.companies.domain.errors import CompanyRequired
from services.companies.domain.names import checked_name


@dataclass(frozen=True, slots=True)
class NewVehicle:
    """A vehicle to be added, as asked for."""

    company_id: uuid.UUID | None
    plate: str
    display_name: str = ""
    request_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A vehicle of a company."""

    vehicle_id: uuid.UUID
    company_id: uuid.UUID
    plate: str
    display_name: str
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
            raise CompanyRequired
        plate = new.plate.strip().upper()
        return cls(
            vehicle_id=vehicle_id,
            company_id=new.company_id,
            plate=plate,
            display_name=checked_name("vehicle.display_name", new.display_name or plate),
            create_time=now,
            update_time=now,
        )

    @property
    def asked_for(self) -> Sequence[str]:
        """What a creation of this vehicle asks for, by which a repeated one is recognised."""
        return [str(self.company_id), self.plate, self.display_name]
