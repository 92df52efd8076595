"""What mail needs from the outside."""

import uuid
from datetime import datetime, timedelta
from typing import Protocol

from services.auth.domain.mails import Mail, QueuedMail


class MailQueue(Protocol):
    """Mails that are sent once the transaction has committed."""

    async def add(self, mail: Mail, user_id: uuid.UUID, now: datetime) -> None:
        """Queue a mail to a person."""

    async def withdraw(self, user_id: uuid.UUID) -> None:
        """Drop what is queued for a person."""

    async def lease(self, now: datetime, lease: timedelta) -> QueuedMail | None:
        """Take the mail that is due longest; nobody else gets it until the lease ends."""

    async def postpone(self, mail_id: uuid.UUID, until: datetime) -> None:
        """Try again later."""

    async def remove(self, mail_id: uuid.UUID) -> None:
        """Take a mail off the queue."""


class MailUndeliverable(Exception):
    """A mail will never be taken: trying again is pointless."""


class Mailer(Protocol):
    """Delivers mail."""

    async def send(self, mail: Mail) -> None:
        """Deliver a mail; sent again, it can be recognised as the same.

        Raises:
            MailUndeliverable: it never will be.
            OSError: not now.
        """
