"""What auth keeps of companies, and what it tells of them."""

import uuid
from datetime import datetime
from typing import Protocol

from services.auth.domain.companies import Company


class CompanyRepository(Protocol):
    """Companies, as far as companies told of them."""

    async def hold(self, company_id: uuid.UUID) -> Company:
        """Return a company, which stays as it is until the transaction ends; others may hold it.

        One that isn't known is made: that it is active must hold until the end as well.
        """

    async def lock(self, company_id: uuid.UUID) -> Company:
        """Return a company to change it, once nobody holds it any more."""

    async def save(self, company: Company) -> None:
        """Store a company that is locked."""

    async def find_lingering(self) -> Company | None:
        """Return a company some of whose sessions may still have to be marked as ended."""

    async def note_swept(self, company: Company) -> None:
        """Note that none of them has, unless the company was closed again meanwhile."""

    async def find_to_erase(self) -> Company | None:
        """Return a company whose people have to be erased."""


class CompanyEvents(Protocol):
    """What companies hears from auth, published after the commit."""

    async def announce_erased(self, company_id: uuid.UUID, erased_at: datetime) -> None:
        """Tell that auth holds nothing of a company's people any more."""
