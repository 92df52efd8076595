"""Dashboards: numbers about a company, from this service and from those that own the others."""

import enum
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.chassis.identity import Role
from services.companies.domain.vehicles import VehicleStatus, VehicleType


class DashboardType(enum.StrEnum):
    """What a dashboard is about."""

    OVERVIEW = "overview"
    FLEET = "fleet"
    DRIVERS = "drivers"
    SECURITY = "security"


class Part(enum.StrEnum):
    """What other services own of a dashboard."""

    PEOPLE = "people"
    DEVICES = "devices"
    SECURITY = "security"


PARTS: Mapping[DashboardType, Sequence[Part]] = {
    DashboardType.OVERVIEW: (Part.PEOPLE, Part.DEVICES),
    DashboardType.FLEET: (Part.DEVICES,),
    DashboardType.DRIVERS: (Part.PEOPLE,),
    DashboardType.SECURITY: (Part.PEOPLE, Part.SECURITY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFigures:
    """What this service counts of a company; what is left out of a mapping is 0."""

    vehicles_by_status: Mapping[VehicleStatus, int] = field(default_factory=dict)
    vehicles_by_type: Mapping[VehicleType, int] = field(default_factory=dict)
    active_without_driver: int = 0
    unretired_without_team: int = 0
    teams: int = 0
    team_members: int = 0
    drivers_assigned: int = 0
    helpers_assigned: int = 0
    assignments_started: int = 0
    """Since the moment that was asked about."""

    @property
    def vehicles(self) -> int:
        """How many vehicles there are, retired ones included."""
        return sum(self.vehicles_by_status.values())


@dataclass(frozen=True, slots=True)
class PeopleFigures:
    """How many people a company has by role; what is left out is 0."""

    active: Mapping[Role, int] = field(default_factory=dict)
    deactivated: Mapping[Role, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.active.values()) + sum(self.deactivated.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFigures:
    """How many devices a company has."""

    registered: int
    claimed: int
    disabled: int
    connected: int
    active_last_day: int
    on_vehicles: int

    @property
    def total(self) -> int:
        """How many there are that are not shut out."""
        return self.registered + self.claimed

    @property
    def offline(self) -> int:
        """How many have a board that is not connected."""
        return self.claimed - self.connected


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFigures:
    """How a company's people log in."""

    open_sessions: int
    active_people: int
    accounts: int
    second_factor_accounts: int
    invited_accounts: int
    sessions_opened_last_day: int
    failed_logins_last_day: int
    failed_accounts_last_day: int


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """How much of one quota is used; a limit of 0 is none."""

    quota: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A company at one moment; what did not answer in time is None."""

    type: DashboardType
    company_id: uuid.UUID
    as_of_time: datetime
    fleet: FleetFigures
    people: PeopleFigures | None = None
    devices: DeviceFigures | None = None
    logins: LoginFigures | None = None
    quota_uses: Sequence[QuotaUse] = ()

    @property
    def unavailable_parts(self) -> Sequence[Part]:
        """What belongs to the dashboard and did not answer."""
        there = {
            Part.PEOPLE: self.people,
            Part.DEVICES: self.devices,
            Part.SECURITY: self.logins,
        }
        return [part for part in PARTS[self.type] if there[part] is None]
