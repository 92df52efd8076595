"""What proving addresses needs from the outside."""

import uuid
from datetime import datetime, timedelta
from typing import Protocol

from services.auth.domain.email_changes import EmailChange


class EmailChangeRepository(Protocol):
    """Addresses that people are to have; encrypted at rest."""

    async def save(self, change: EmailChange) -> None:
        """Store a person's change, new or changed; an earlier one stops working."""

    async def lock(self, user_id: uuid.UUID) -> EmailChange | None:
        """Return a person's change and keep it from changing until the transaction ends."""

    async def count_failure(self, user_id: uuid.UUID) -> None:
        """Count a wrong code."""

    async def remove(self, user_id: uuid.UUID) -> None:
        """Forget a person's change."""

    async def lease_proven(self, now: datetime, lease: timedelta) -> EmailChange | None:
        """Take the proven change that is due longest; nobody else gets it until the lease ends."""

    async def prune(self, now: datetime) -> None:
        """Forget changes whose code has expired before it was proven."""


class AddressBook(Protocol):
    """Whoever owns people's addresses."""

    async def change(self, user_id: uuid.UUID, from_email: str, to_email: str) -> None:
        """Give a person an address that they have proven; told again, do nothing.

        Raises:
            EmailTaken: somebody else has it.
            EditConflict: the person has another address than they had.
            PersonGone: there is nobody to have it.
            Unavailable: not now.
        """
