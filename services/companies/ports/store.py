"""What the use cases need of the store as a whole, and of the machine."""

import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.companies.ports.assignments import AssignmentRepository
from services.companies.ports.companies import CompanyRepository
from services.companies.ports.dashboards import FleetCensus
from services.companies.ports.events import CompanyEvents
from services.companies.ports.holdings import HoldingsRepository
from services.companies.ports.people import Inbox, PersonRepository
from services.companies.ports.plans import PlanCatalog
from services.companies.ports.teams import MembershipRepository, TeamRepository
from services.companies.ports.vehicles import VehicleEvents, VehicleRepository

Clock = Callable[[], datetime]
"""Tells the time, in UTC."""

IdSource = Callable[[], uuid.UUID]
"""Makes ids that sort by the time they were made."""


class UnitOfWork(Protocol):
    """What one transaction reaches."""

    @property
    def companies(self) -> CompanyRepository:
        """The companies."""

    @property
    def vehicles(self) -> VehicleRepository:
        """The vehicles."""

    @property
    def teams(self) -> TeamRepository:
        """The teams."""

    @property
    def memberships(self) -> MembershipRepository:
        """People's times in teams."""

    @property
    def assignments(self) -> AssignmentRepository:
        """People's times on vehicles."""

    @property
    def people(self) -> PersonRepository:
        """What is known of people."""

    @property
    def vehicle_events(self) -> VehicleEvents:
        """What others are told about vehicles."""

    @property
    def fleet_census(self) -> FleetCensus:
        """How much of everything there is."""

    @property
    def inbox(self) -> Inbox:
        """Which events were taken in."""

    @property
    def plans(self) -> PlanCatalog:
        """The plans."""

    @property
    def holdings(self) -> HoldingsRepository:
        """Everything that companies have."""

    @property
    def events(self) -> CompanyEvents:
        """What is told to other services."""


class Transactions(Protocol):
    """Begins units of work."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a unit of work: it commits at the end of the block, and not at all if it raises."""
