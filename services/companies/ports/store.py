"""What the use cases need of the store as a whole, and of the machine."""

import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.companies.ports.companies import CompanyRepository
from services.companies.ports.events import CompanyEvents
from services.companies.ports.holdings import HoldingsRepository
from services.companies.ports.plans import PlanCatalog
from services.companies.ports.vehicles import VehicleRepository

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
