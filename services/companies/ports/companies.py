"""What the use cases need of stored companies."""

import uuid
from collections.abc import Sequence
from typing import Protocol

from services.chassis.identity import CreationRequest, TenantScope
from services.companies.domain.companies import Company
from services.companies.domain.lists import CompanyQuery, ListPosition


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
        self, scope: TenantScope, query: CompanyQuery, after: ListPosition | None, limit: int
    ) -> Sequence[Company]:
        """Read companies that the query matches, in its order, from the first behind `after`."""

    async def list_behind_for_change(self, scope: TenantScope, limit: int) -> Sequence[Company]:
        """Read companies whose plan has changed since, those apart that others have locked.

        They stay locked until the transaction ends. Companies that are deleted are none of them.
        """

    async def list_deleting(
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[Company]:
        """Read companies that are being deleted, in the order of their ids."""

    async def save(self, scope: TenantScope, company: Company) -> None:
        """Store the next version of a company.

        Raises:
            CompanyNameTaken: another company has the name.
            EditConflict: the stored version is not the one before.
        """

    async def note_reports(self, scope: TenantScope, company: Company) -> None:
        """Store what services have reported about a deletion, within the company's version."""

    async def count(self, scope: TenantScope) -> int:
        """Count the companies that are not deleted."""
