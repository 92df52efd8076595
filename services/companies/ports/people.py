"""What the use cases need to know of people, who are the business of users."""

import uuid
from typing import Protocol

from services.chassis.identity import TenantScope
from services.companies.domain.people import Person


class PersonRepository(Protocol):
    """How people stood when they were last heard of."""

    async def keep(self, scope: TenantScope, person: Person) -> Person:
        """Store how a person stands unless something newer is known, and return the newest.

        Others wait here for the same person until the transaction ends.
        """

    async def forget(self, scope: TenantScope, user_id: uuid.UUID) -> None:
        """Erase what is known of a person."""


class PersonDirectory(Protocol):
    """Knows how people stand."""

    async def get(self, company_id: uuid.UUID, user_id: uuid.UUID) -> Person:
        """Ask how a person of a company stands.

        Raises:
            UserNotFound: the company has no such person.
            Unavailable: nobody can tell at the moment.
        """


class Inbox(Protocol):
    """Remembers which events were taken in."""

    async def first_delivery(self, consumer: str, event_id: uuid.UUID) -> bool:
        """Note that a consumer got an event; False if it had it before."""
