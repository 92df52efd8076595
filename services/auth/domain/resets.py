"""Passwords that their owners have forgotten: asking for a code, and proving to have got it."""

import hmac
import uuid
from dataclasses import dataclass, field
from datetime import datetime

RESET_CODE_SIZE_BYTES = 10
"""80 random bits: too many to guess in the attempts that there are, few enough to type."""

RESET_ATTEMPTS_MAX = 5


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """Somebody asked for a code, for an address that may be nobody's."""

    request_id: uuid.UUID
    email: str = field(repr=False)
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class PasswordReset:
    """A code that was mailed to a person: there is one at most."""

    user_id: uuid.UUID
    digest: bytes = field(repr=False)
    expires_at: datetime
    failures: int = 0

    def is_open(self, now: datetime) -> bool:
        """Whether the right code still works."""
        return now < self.expires_at and self.failures < RESET_ATTEMPTS_MAX

    def accepts(self, digest: bytes, now: datetime) -> bool:
        """Whether this is the code, and in time."""
        return hmac.compare_digest(self.digest, digest) and self.is_open(now)


def reset_digest_text(user_id: uuid.UUID, spelled_code: str) -> str:
    """Say what the keyed hash of a code is made of: the same code of two people differs."""
    return f"reset:{user_id}:{spelled_code}"
