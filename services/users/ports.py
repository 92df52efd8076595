"""What the use cases need of the world; every query of a repository takes the caller's scope."""

import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.chassis.identity import CreationRequest, TenantScope
from services.users.domain.companies import CompanyStanding
from services.users.domain.lists import ListPosition, UserQuery
from services.users.domain.people import PeopleCount, User

Clock = Callable[[], datetime]
"""Tells the time, in UTC."""

IdSource = Callable[[], uuid.UUID]
"""Makes ids that sort by the time they were made."""


class UserRepository(Protocol):
    """People. What is outside the scope does not exist."""

    async def add(
        self, scope: TenantScope, user: User, request: CreationRequest | None = None
    ) -> None:
        """Store a person.

        Raises:
            EmailTaken: another person has the address.
            CompanyNotFound: the person's company is outside the scope.
        """

    async def count_for_change(self, scope: TenantScope, company_id: uuid.UUID) -> int:
        """Count a company's people, and keep others from adding any until the transaction ends.

        Those who were deleted don't count.

        Raises:
            CompanyNotFound: it is outside the scope, or being erased.
        """

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> User | None:
        """Find the person whom an earlier try of a request made, as they stand now.

        Further tries wait here until the transaction of the first has ended.

        Raises:
            RequestIdReused: the earlier request asked for something else.
        """

    async def get(self, scope: TenantScope, user_id: uuid.UUID) -> User:
        """Read a person.

        Raises:
            UserNotFound: nobody in the scope has the id.
        """

    async def get_for_change(self, scope: TenantScope, user_id: uuid.UUID) -> User:
        """Read a person and keep others from changing them until the transaction ends.

        Raises:
            UserNotFound: nobody in the scope has the id.
        """

    async def list_after(
        self, scope: TenantScope, query: UserQuery, after: ListPosition | None, limit: int
    ) -> Sequence[User]:
        """Read people whom the query matches in its order, from the first one behind `after`."""

    async def count_people(self, scope: TenantScope) -> Sequence[PeopleCount]:
        """Count people by role and status, in this order; deleted ones don't count."""

    async def save(self, scope: TenantScope, user: User) -> None:
        """Store the next version of a person.

        Raises:
            EditConflict: the stored version is not the one before.
        """

    async def list_due_for_change(
        self, scope: TenantScope, now: datetime, limit: int
    ) -> Sequence[User]:
        """Read people who are to be purged, and keep others from them until the transaction ends.

        Whom another transaction keeps is left out.
        """

    async def list_for_removal(self, scope: TenantScope, limit: int) -> Sequence[User]:
        """Read people, deleted or not, and lock them."""

    async def remove(self, scope: TenantScope, user_id: uuid.UUID) -> None:
        """Erase a person and the request that made them."""


class UserEvents(Protocol):
    """Tells other services about people."""

    async def announce(self, user: User) -> None:
        """Publish how a person stands, if and when the transaction commits."""

    async def announce_invited(self, user: User) -> None:
        """Publish that a person is to be invited again, if and when the transaction commits."""

    async def announce_purged(self, user: User) -> None:
        """Publish that a person was erased, if and when the transaction commits."""

    async def announce_company_erased(self, company_id: uuid.UUID, now: datetime) -> None:
        """Publish that nobody of a company is left, if and when the transaction commits."""


class CompanyErasures(Protocol):
    """The companies whose people are being erased, or were: nobody is added to them ever again."""

    async def request(self, company_id: uuid.UUID, now: datetime) -> bool:
        """Have a company erased, and nobody added from now on; False if it has been erased."""

    async def take_next(self) -> uuid.UUID | None:
        """Return a company that is to be erased, and keep it until the transaction ends."""

    async def finish(self, company_id: uuid.UUID, now: datetime) -> None:
        """Note that nothing is left of a company."""


class UnitOfWork(Protocol):
    """What one transaction reaches."""

    @property
    def users(self) -> UserRepository:
        """The people."""

    @property
    def erasures(self) -> CompanyErasures:
        """The companies that are being erased."""

    @property
    def events(self) -> UserEvents:
        """The events that commit along."""


class Transactions(Protocol):
    """Begins units of work."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a unit of work: it commits at the end of the block, and not at all if it raises."""


class CompanyDirectory(Protocol):
    """Knows which companies exist, and how they stand."""

    async def require(self, company_id: uuid.UUID) -> CompanyStanding:
        """Return how a company stands.

        Raises:
            CompanyNotFound: it doesn't exist, or is being deleted.
            Unavailable: nobody can tell at the moment.
        """
