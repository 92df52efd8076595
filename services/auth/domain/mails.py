"""Mails as they are queued and sent; `letters` says what is in them."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

INVITATION_CODE_HEADER = "X-DashTrack-Invitation-Code"
RESET_CODE_HEADER = "X-DashTrack-Reset-Code"
EMAIL_CODE_HEADER = "X-DashTrack-Email-Code"
"""Repeat the code of the text for programs: demos and tests that read the mailbox."""

_RETRY_FIRST = timedelta(seconds=5)
_RETRY_LONGEST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, as text and as HTML; it may hold a secret."""

    mail_id: uuid.UUID
    recipient: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
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
