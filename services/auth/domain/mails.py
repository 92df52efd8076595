"""The mails that auth sends."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.auth.domain.credentials import PersonChange

INVITATION_CODE_HEADER = "X-DashTrack-Invitation-Code"
"""Repeats the code of the text for programs: demos and tests that read the mailbox."""

_RETRY_FIRST = timedelta(seconds=5)
_RETRY_LONGEST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail in plain text; it may hold a secret."""

    mail_id: uuid.UUID
    recipient: str
    subject: str
    text: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    expires_at: datetime | None = None
    """When sending it has become pointless."""


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A mail that is to be sent, and how often that was tried."""

    mail: Mail
    attempts: int


def retry_delay(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts have failed."""
    return min(_RETRY_FIRST * (1 << min(attempts, 10)), _RETRY_LONGEST)


def invitation_mail(
    mail_id: uuid.UUID, person: PersonChange, code: str, expires_at: datetime
) -> Mail:
    """Write the mail that invites a person."""
    text = (
        f"Hello {person.display_name},\n\n"
        "you have been invited to DashTrack. To set your password, enter this code\n"
        "where you were told to log in:\n\n"
        f"    {code}\n\n"
        f"It works once, until {expires_at:%Y-%m-%d %H:%M} UTC.\n"
        "If you did not expect this mail, you can ignore it.\n"
    )
    return Mail(
        mail_id=mail_id,
        recipient=person.email,
        subject="Your invitation to DashTrack",
        text=text,
        headers=((INVITATION_CODE_HEADER, code),),
        expires_at=expires_at,
    )
