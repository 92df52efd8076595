"""Companies and vehicles, and the rules about them: what can go wrong, what holds."""

import dataclasses
import functools
import unicodedata
import uuid
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.chassis.errors import (
    DomainError,
    EditConflict,
    FieldViolation,
    InvalidArgument,
    Kind,
    invalid_field,
)

TIME_ZONE_DEFAULT = "UTC"
LANGUAGE_CODES = ("en", "pt")
LANGUAGE_CODE_DEFAULT = LANGUAGE_CODES[0]
DISPLAY_NAME_LENGTH_MAX = 100

# Listed like time zones, but one is wherever the server stands and the other is a placeholder.
_NO_PLACES = frozenset({"localtime", "Factory"})


class CompanyNotFound(DomainError):
    """No company with this id is in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "COMPANY_NOT_FOUND"

    def __init__(self, company_id: uuid.UUID) -> None:
        """Name the id that was asked for."""
        super().__init__("There is no such company.", company_id=str(company_id))


class CompanyNameTaken(DomainError):
    """Another company has this name, in whatever case."""

    kind = Kind.ALREADY_EXISTS
    reason = "COMPANY_NAME_TAKEN"

    def __init__(self) -> None:
        """Say it in words; the name is the caller's own."""
        super().__init__("Another company has this name.")


class CompanyRequired(InvalidArgument):
    """A vehicle belongs to a company, and the caller has none that could be meant."""

    reason = "COMPANY_REQUIRED"

    def __init__(self) -> None:
        """Point at the field."""
        message = "A vehicle belongs to a company."
        super().__init__(message, violations=[FieldViolation("vehicle.company_id", message)])


class VehicleNotFound(DomainError):
    """No vehicle with this id is in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "VEHICLE_NOT_FOUND"

    def __init__(self, vehicle_id: uuid.UUID) -> None:
        """Name the id that was asked for."""
        super().__init__("There is no such vehicle.", vehicle_id=str(vehicle_id))


class PlateTaken(DomainError):
    """The company has a vehicle with this plate already."""

    kind = Kind.ALREADY_EXISTS
    reason = "PLATE_TAKEN"

    def __init__(self, plate: str) -> None:
        """Name the plate."""
        super().__init__("The company has a vehicle with this plate.", plate=plate)


@dataclass(frozen=True, slots=True)
class NewCompany:
    """A company to be added, as asked for; empty fields get their defaults."""

    display_name: str
    time_zone: str = ""
    language_code: str = ""
    request_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class CompanyEdit:
    """New values for a company: None leaves what is there, an empty text sets the default."""

    display_name: str | None = None
    time_zone: str | None = None
    language_code: str | None = None
    etag: str = ""
    """What the caller saw last; empty to overwrite whatever is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A tenant, as of one version; changes make new versions."""

    company_id: uuid.UUID
    display_name: str
    time_zone: str
    language_code: str
    version: int
    create_time: datetime
    update_time: datetime

    @classmethod
    def create(cls, new: NewCompany, *, company_id: uuid.UUID, now: datetime) -> Self:
        """Make the first version of a company.

        Raises:
            InvalidArgument: a field breaks a rule.
        """
        return cls(
            company_id=company_id,
            display_name=_checked_name("company.display_name", new.display_name),
            time_zone=_checked_time_zone(new.time_zone),
            language_code=_checked_language_code(new.language_code),
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
        """What a creation of this company asks for, by which a repeated one is recognised."""
        return [self.display_name, self.time_zone, self.language_code]

    def edited(self, edit: CompanyEdit, now: datetime) -> Self:
        """Return the version after an edit: this one if the edit changes nothing.

        Raises:
            EditConflict: the edit was made on another version.
            InvalidArgument: a field breaks a rule.
        """
        if edit.etag and edit.etag != self.etag:
            raise EditConflict("Somebody changed this company meanwhile.")
        name, zone, language = edit.display_name, edit.time_zone, edit.language_code
        changed = dataclasses.replace(
            self,
            display_name=(
                self.display_name if name is None else _checked_name("company.display_name", name)
            ),
            time_zone=self.time_zone if zone is None else _checked_time_zone(zone),
            language_code=(
                self.language_code if language is None else _checked_language_code(language)
            ),
        )
        if changed == self:
            return self
        return dataclasses.replace(changed, version=self.version + 1, update_time=now)


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
            display_name=_checked_name("vehicle.display_name", new.display_name or plate),
            create_time=now,
            update_time=now,
        )

    @property
    def asked_for(self) -> Sequence[str]:
        """What a creation of this vehicle asks for, by which a repeated one is recognised."""
        return [str(self.company_id), self.plate, self.display_name]


def _checked_name(field: str, display_name: str) -> str:
    name = display_name.strip()
    if not 1 <= len(name) <= DISPLAY_NAME_LENGTH_MAX:
        raise invalid_field(field, "1 to 100 characters are needed.")
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise invalid_field(field, "Control characters are not allowed.")
    return name


@functools.cache
def _time_zones() -> frozenset[str]:
    # Names that the database lists, rather than files that it opens: a name is never a path.
    return frozenset(zoneinfo.available_timezones()) - _NO_PLACES


def _checked_time_zone(time_zone: str) -> str:
    if time_zone and time_zone not in _time_zones():
        raise invalid_field("company.time_zone", "This is not an IANA time zone.")
    return time_zone or TIME_ZONE_DEFAULT


def _checked_language_code(language_code: str) -> str:
    if language_code and language_code not in LANGUAGE_CODES:
        raise invalid_field("company.language_code", "This language is not spoken here.")
    return language_code or LANGUAGE_CODE_DEFAULT
