"""Who may log in, with what, and how they are invited."""

import base64
import enum
import hashlib
import secrets
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.chassis.identity import Role

BOOTSTRAP_USER_ID = uuid.UUID("00000000-0000-7000-8000-000000000001")
"""The first master: users makes the person under this id, auth the credential."""

PURGED_KEPT = timedelta(days=60)
"""How long it is known of somebody that they were erased: twice as long as events may come late."""

_INVITATION_CODE_SIZE_BYTES = 20
_CODE_GROUP_LENGTH = 4


class Language(enum.StrEnum):
    """What a person is written to in."""

    ENGLISH = "en"
    PORTUGUESE = "pt"


class CredentialStatus(enum.StrEnum):
    """Where a credential is in its life."""

    INVITED = "invited"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class Credential:
    """How one person logs in, and what their tokens will say."""

    user_id: uuid.UUID
    email: str
    role: Role
    company_id: uuid.UUID | None
    status: CredentialStatus
    password_hash: str | None = field(repr=False)
    user_version: int
    """The version of the person that users last told of; 0 before it did."""
    language: Language = Language.ENGLISH
    display_name: str = field(default="", repr=False)
    """Empty until users has told it."""

    @property
    def may_log_in(self) -> bool:
        """Whether the right password opens a session."""
        return self.status is CredentialStatus.ACTIVE and self.password_hash is not None

    def still_is(self, earlier: "Credential") -> bool:
        """Whether what was checked earlier, outside of the lock, holds: access and password."""
        return self.may_log_in and self.password_hash == earlier.password_hash

    def with_password(self, password_hash: str) -> "Credential":
        """Return the credential once its owner has set a password."""
        return replace(self, password_hash=password_hash, status=CredentialStatus.ACTIVE)


@dataclass(frozen=True, slots=True)
class PersonChange:
    """How a person stands after a change, as users tells it."""

    event_id: uuid.UUID
    user_id: uuid.UUID
    company_id: uuid.UUID | None
    email: str
    display_name: str
    role: Role
    active: bool
    version: int
    language: Language = Language.ENGLISH
    purged: bool = False
    """The person is erased; nothing else is said of them."""
    invite: bool = False
    """The person is to be invited again, unless they have accepted."""

    def applied_to(self, credential: Credential | None) -> Credential:
        """Return the credential after the change."""
        password_hash = credential.password_hash if credential else None
        if not self.active:
            status = CredentialStatus.DEACTIVATED
        elif password_hash is None:
            status = CredentialStatus.INVITED
        else:
            status = CredentialStatus.ACTIVE
        return Credential(
            user_id=self.user_id,
            email=normalise_email(self.email),
            role=self.role,
            company_id=self.company_id,
            status=status,
            password_hash=password_hash,
            user_version=self.version,
            language=self.language,
            display_name=self.display_name,
        )


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code that lets a person set their first password, once."""

    digest: bytes
    user_id: uuid.UUID
    expires_at: datetime
    used_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether the code still works."""
        return self.used_at is None and now < self.expires_at


def normalise_email(email: str) -> str:
    """Spell an address as it is stored and compared."""
    return email.strip().lower()


def new_code(size_bytes: int = _INVITATION_CODE_SIZE_BYTES) -> str:
    """Make a code that can be copied from a mail: random, in groups of four.

    Args:
        size_bytes: how much of it is random, a multiple of five.
    """
    text = base64.b32encode(secrets.token_bytes(size_bytes)).decode()
    size = _CODE_GROUP_LENGTH
    return "-".join(text[start : start + size] for start in range(0, len(text), size))


def spelled_code(code: str) -> str:
    """Spell a code as it is digested, however it was copied."""
    return "".join(code.split()).replace("-", "").upper()


def invitation_digest(code: str) -> bytes:
    """Digest a code as it is stored: nobody guesses 160 random bits, so a plain hash is enough."""
    return hashlib.sha256(spelled_code(code).encode()).digest()
