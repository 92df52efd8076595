"""Addresses that people want to have, or have to prove that they have."""

import hmac
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.chassis.errors import DomainError, Kind

EMAIL_CODE_SIZE_BYTES = 10
"""80 random bits: too many to guess in the attempts that there are, few enough to type."""

EMAIL_ATTEMPTS_MAX = 5


class EmailCodeInvalid(DomainError):
    """No code of this person's works like that: deliberately not saying why."""

    kind = Kind.PRECONDITION
    reason = "EMAIL_CODE_INVALID"

    def __init__(self) -> None:
        super().__init__("The code is wrong, used or expired; ask for another one.")


class EmailTaken(DomainError):
    """The address was proven to be the person's, and somebody else has an account under it."""

    kind = Kind.ALREADY_EXISTS
    reason = "EMAIL_TAKEN"

    def __init__(self) -> None:
        super().__init__("Another person has this e-mail address.")


class PersonGone(Exception):
    """The person is deleted, or never was: there is nobody to have the address."""


@dataclass(frozen=True, slots=True)
class EmailChange:
    """An address that somebody is to have: there is one a person at most."""

    user_id: uuid.UUID
    from_email: str = field(repr=False)
    """The address that they had when it was asked for; the same if that is to be verified."""
    to_email: str = field(repr=False)
    digest: bytes = field(repr=False)
    expires_at: datetime
    failures: int = 0
    proven_at: datetime | None = None
    """When the code was right: from then on the change is carried out, whatever happens."""

    @property
    def is_verification(self) -> bool:
        """Whether the address stays as it is."""
        return self.from_email == self.to_email

    def accepts(self, digest: bytes, now: datetime) -> bool:
        """Whether this is the code, and in time."""
        is_open = now < self.expires_at and self.failures < EMAIL_ATTEMPTS_MAX
        return hmac.compare_digest(self.digest, digest) and is_open

    def proven(self, now: datetime) -> "EmailChange":
        """Return the change once the code was right: this one if it was before."""
        return self if self.proven_at is not None else replace(self, proven_at=now)


def email_digest_text(user_id: uuid.UUID, spelled_code: str) -> str:
    """Say what the keyed hash of a code is made of: the same code of two people differs."""
    return f"email:{user_id}:{spelled_code}"
