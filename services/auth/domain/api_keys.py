"""API keys: what machines prove who they are with, and what they may do then.

A key is `dt_`, its id, and its secret with a checksum: a text that scanners for leaked secrets
find, that says which key it is, and of which a slip of the hand is noticed before anybody is asked.
"""

import binascii
import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.auth.domain.sessions import UNKNOWN_ADDRESS
from services.auth.domain.tokens import AUDIENCE_API_KEY, Claims
from services.chassis.errors import (
    DomainError,
    FieldViolation,
    InvalidArgument,
    Kind,
    PermissionDenied,
    invalid_field,
)
from services.chassis.identity import Role, TenantScope

KEPT_AFTER_END = timedelta(days=30)
"""How long a key is listed that no longer works."""

_SECRET_SIZE_BYTES = 24
_USE_NOTED_EVERY = timedelta(minutes=10)
_KEY = re.compile(r"dt_([0-9a-f]{32})_([0-9a-f]{48})([0-9a-f]{8})", re.ASCII)

_GRANTED: Mapping[Role | None, frozenset[Role]] = {
    Role.MASTER: frozenset({Role.MASTER, Role.COMPANY_ADMIN, Role.MANAGER}),
    Role.COMPANY_ADMIN: frozenset({Role.COMPANY_ADMIN, Role.MANAGER}),
}


class ApiKeyInvalid(DomainError):
    """The key was never made, was revoked, or has expired: deliberately not saying which."""

    kind = Kind.UNAUTHENTICATED
    reason = "API_KEY_INVALID"

    def __init__(self) -> None:
        super().__init__("The API key is not valid.")


class ApiKeyNotFound(DomainError):
    """No key with this id is in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "API_KEY_NOT_FOUND"

    def __init__(self, key_id: uuid.UUID) -> None:
        super().__init__("There is no such API key.", key_id=str(key_id))


class RoleNotGrantable(PermissionDenied):
    """The caller may not make keys of this role."""

    reason = "ROLE_NOT_GRANTABLE"

    def __init__(self, role: Role) -> None:
        super().__init__("Your role may not make keys of this role.", role=role.value)


class CompanyRequired(InvalidArgument):
    """Keys of every role but master reach one company."""

    reason = "COMPANY_REQUIRED"

    def __init__(self) -> None:
        message = "Keys of every role but master reach one company."
        super().__init__(message, violations=[FieldViolation("api_key.company_id", message)])


@dataclass(frozen=True, slots=True)
class ApiKeyPolicy:
    """What holds for all keys."""

    lifetime_default: timedelta
    lifetime_max: timedelta
    per_company_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """A key to be made, as asked for."""

    display_name: str
    role: Role
    scopes: Sequence[str]
    company_id: uuid.UUID | None
    expires_at: datetime | None
    request_id: uuid.UUID | None = None

    @property
    def asked_for(self) -> Sequence[str]:
        """What is asked for, by which a repeated request is recognised."""
        facts = [self.display_name, self.role.value, str(self.company_id), str(self.expires_at)]
        return [*facts, *sorted(self.scopes)]

    def expiry(self, policy: ApiKeyPolicy, now: datetime) -> datetime:
        """Return when the key stops working.

        Raises:
            InvalidArgument: it would be in the past, or too far off.
        """
        expires_at = self.expires_at or now + policy.lifetime_default
        if not now < expires_at <= now + policy.lifetime_max:
            days = policy.lifetime_max.days
            message = f"A key expires in the future, and within {days} days."
            raise invalid_field("api_key.expire_time", message)
        return expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key; of its secret only the digest is kept."""

    key_id: uuid.UUID
    company_id: uuid.UUID | None
    display_name: str
    role: Role
    scopes: tuple[str, ...]
    digest: bytes = field(repr=False)
    creator_id: uuid.UUID
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    used_from: str = field(default="", repr=False)

    @property
    def prefix(self) -> str:
        """How the key begins."""
        return f"dt_{self.key_id.hex}"

    def within(self, scope: TenantScope) -> bool:
        """Tell whether the scope includes the key; only the widest includes those of masters."""
        if self.company_id is None:
            return scope == TenantScope.everything()
        return scope.includes(self.company_id)

    def is_live(self, now: datetime) -> bool:
        """Whether the key works."""
        return self.revoked_at is None and now < self.expires_at

    def revoked(self, now: datetime) -> "ApiKey":
        """Return the key after its end: this one if it was ended before."""
        return self if self.revoked_at is not None else replace(self, revoked_at=now)

    def used(self, address: str, now: datetime) -> "ApiKey":
        """Return the key after a use: this one if nearly the same was noted a moment ago."""
        recent = self.used_at is not None and now < self.used_at + _USE_NOTED_EVERY
        if recent and address == self.used_from:
            return self
        return replace(self, used_at=now, used_from="" if address == UNKNOWN_ADDRESS else address)

    def claims(self) -> Claims:
        """Say what the key's access token says of it."""
        claims: dict[str, str | list[str]] = {
            "aud": AUDIENCE_API_KEY,
            "sub": str(self.key_id),
            "role": self.role.value,
            "scopes": list(self.scopes),
        }
        if self.company_id is not None:
            claims["company_id"] = str(self.company_id)
        return claims


@dataclass(frozen=True, slots=True)
class MadeApiKey:
    """A key that was made, and the text of it if it is to be shown."""

    api_key: ApiKey
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiKeyPage:
    """Some keys, and where the next ones begin."""

    api_keys: Sequence[ApiKey]
    next_before: uuid.UUID | None


def may_grant(role: Role | None, granted: Role) -> bool:
    """Tell whether who has a role may make keys of another."""
    return granted in _GRANTED.get(role, frozenset())


def new_secret() -> str:
    """Make a secret of 192 random bits."""
    return secrets.token_hex(_SECRET_SIZE_BYTES)


def secret_digest(secret: str) -> bytes:
    """Digest a secret as it is stored: nobody guesses so many bits, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()


def spell_key(key_id: uuid.UUID, secret: str) -> str:
    """Write a key down."""
    return f"dt_{key_id.hex}_{secret}{_checksum(key_id.hex, secret)}"


def read_key(text: str) -> tuple[uuid.UUID, bytes] | None:
    """Read a key's id and the digest of its secret; None if it is no key or was miscopied."""
    found = _KEY.fullmatch(text.strip())
    if found is None:
        return None
    key_id, secret, checksum = found.groups()
    if not hmac.compare_digest(checksum, _checksum(key_id, secret)):
        return None
    return uuid.UUID(key_id), secret_digest(secret)


def _checksum(key_id: str, secret: str) -> str:
    return f"{binascii.crc32(f'{key_id}{secret}'.encode()):08x}"
