"""What the use cases need of stored companies."""

import uuid
from collections.abc import Sequence
from typing import Protocol

from services.chassis.identity import CreationRequest, TenantScope
from services.companies.domain.companies import Company


class CompanyRepository(Protocol):
    """Companies. What is outside the scope does not exist."""

    async def add(
        self, scope: TenantScope, company: Company, request: CreationRequest | None = None
    ) -> None:
        """Store a company.

        Raises:
            CompanyNameTaken: another company has the name.
            CompanyNotFound: the company is outside the scope.
        """

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> Company | None:
        """Find the company that an earlier try of a request made, as it stands now.

        Further tries wait here until the transaction of the first has ended.

        Raises:
            RequestIdReused: the earlier request asked for something else.
        """

    async def get(self, scope: TenantScope, company_id: uuid.UUID) -> Company:
        """Read a company.

        Raises:
            CompanyNotFound: none in the scope has the id.
        """

    async def get_for_change(self, scope: TenantScope, company_id: uuid.UUID) -> Company:
        """Read a company and keep others from changing it until the transaction ends.

        Raises:
            CompanyNotFound: none in the scope has the id.
        """

    async def list_after(
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[Company]:
        """Read companies in the order of their ids, from the first id greater than `after`."""

    async def save(self, scope: TenantScope, company: Company) -> None:
        """Store the next version of a company.

        Raises:
            CompanyNameTaken: another company has the name.
            EditConflict: the stored version is not the one before.
        """

    async def count(self, scope: TenantScope) -> int:
        """Count the companies."""
