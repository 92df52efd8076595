"""What the use cases tell other services."""

from typing import Protocol

from services.companies.domain.companies import Company


class CompanyEvents(Protocol):
    """Events that are kept exactly if the transaction commits."""

    async def announce(self, company: Company) -> None:
        """Tell how a company stands."""
