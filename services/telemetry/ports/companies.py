"""What following companies needs."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.telemetry.domain.companies import CompanyStanding


class CompanyProjection(Protocol):
    """How companies stand, as far as it has been told here."""

    async def apply(self, standing: CompanyStanding, now: datetime) -> bool:
        """Take in how a company stands; False if that was known, or something newer is.

        A company that is being deleted is to be erased from then on, for good; one that has been
        erased is said to be so once more.
        """

    async def find(self, company_id: uuid.UUID) -> CompanyStanding | None:
        """Return how a company stands, if that is known."""

    async def changed_since(self, moment: datetime) -> Sequence[CompanyStanding]:
        """Return how those companies stand that were told of since a moment."""


class CompanyEraser(Protocol):
    """Erases what is held of companies that are being deleted."""

    async def erase_some(self, now: datetime) -> bool:
        """Take a bounded step; False if there is no company to be erased that nobody else is at."""


class CompanyHints(Protocol):
    """Tells the other replicas that a company changed."""

    async def announce(self, company_id: uuid.UUID) -> None:
        """Tell them; it may get lost."""
