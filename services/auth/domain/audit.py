"""Records of the audit log, how they are written to be hashed, and the chain that they form.

The encoding is that of RFC 8785 (JSON Canonicalization Scheme) for objects of ASCII strings,
integers and lists of strings, which any JSON tool that sorts keys writes without white space.
"""

import hashlib
import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

PLATFORM = uuid.UUID(int=0)
"""Stands for the platform where a company's id is expected: the log of what is no company's."""

VERSION = 1
GENESIS_HASH = bytes(32)
"""What the first record of a chain follows."""
SALT_SIZE_BYTES = 16

_TEXT_LENGTH_MAX = 256


@dataclass(frozen=True, slots=True)
class Personal:
    """What a record says of a person beyond ids; erased with the company's key."""

    address: str = field(repr=False)
    user_agent: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that was done, or refused, as the service reports it that did."""

    event_id: uuid.UUID
    company_id: uuid.UUID
    """The company in whose log it belongs, or PLATFORM."""
    occurred_at: datetime
    service: str
    action: str
    outcome: str
    actor_kind: str
    actor_id: str
    actor_role: str
    actor_company_id: str
    resource_type: str
    resource_id: str
    changed_fields: Sequence[str]
    trace_id: str

    def __post_init__(self) -> None:
        """Keep what is hashed to printable ASCII, which every JSON tool writes the same way."""
        for name in TEXT_FIELDS:
            object.__setattr__(self, name, _plain(getattr(self, name)))
        object.__setattr__(self, "changed_fields", tuple(map(_plain, self.changed_fields)))


TEXT_FIELDS = (
    "service",
    "action",
    "outcome",
    "actor_kind",
    "actor_id",
    "actor_role",
    "actor_company_id",
    "resource_type",
    "resource_id",
    "trace_id",
)


@dataclass(frozen=True, slots=True)
class SealedPersonal:
    """Personal data as a record holds them."""

    sealed: bytes
    """Encrypted under the company's key; empty if that was destroyed before."""
    digest: bytes
    """SHA-256 over salt and data: whoever is shown both can check them, nobody can guess them."""


NOTHING_PERSONAL = SealedPersonal(b"", bytes(32))


@dataclass(frozen=True, slots=True)
class Record:
    """An act in its place in the chain."""

    act: Act
    sequence: int
    sealed_at: datetime
    personal: SealedPersonal
    previous_hash: bytes
    hash: bytes

    def computed_hash(self) -> bytes:
        """Hash what the record says: it should be what it claims to be."""
        return hashlib.sha256(canonical(self.hashed())).digest()

    def hashed(self) -> dict[str, Any]:
        """Return what is hashed, by name."""
        act = self.act
        return {
            "action": act.action,
            "actor_company_id": act.actor_company_id,
            "actor_id": act.actor_id,
            "actor_kind": act.actor_kind,
            "actor_role": act.actor_role,
            "changed_fields": list(act.changed_fields),
            "company_id": str(act.company_id),
            "event_id": str(act.event_id),
            "occur_time": spelled_time(act.occurred_at),
            "outcome": act.outcome,
            "personal_digest": self.personal.digest.hex(),
            "personal_sealed": self.personal.sealed.hex(),
            "previous_hash": self.previous_hash.hex(),
            "resource_id": act.resource_id,
            "resource_type": act.resource_type,
            "seal_time": spelled_time(self.sealed_at),
            "sequence": self.sequence,
            "service": act.service,
            "trace_id": act.trace_id,
            "version": VERSION,
        }


@dataclass(frozen=True, slots=True)
class Chain:
    """A company's log, as far as it has come."""

    company_id: uuid.UUID
    sequence: int
    hash: bytes
    signed_sequence: int
    pruned_sequence: int
    """The last record that retention has removed."""
    erased_at: datetime | None
    """When the key to personal data was destroyed."""

    def follow(self, act: Act, personal: SealedPersonal, now: datetime) -> Record:
        """Make the record of an act that comes next."""
        record = Record(act, self.sequence + 1, now, personal, self.hash, b"")
        return replace(record, hash=record.computed_hash())


def canonical(value: Mapping[str, Any]) -> bytes:
    """Write an object as it is hashed and signed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def spelled_time(moment: datetime) -> str:
    """Write a moment in UTC with all six digits of its microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def personal_plain(personal: Personal, salt: bytes) -> bytes:
    """Write personal data as they are encrypted."""
    return canonical(
        {"address": personal.address, "salt": salt.hex(), "user_agent": personal.user_agent}
    )


def personal_digest(plain: bytes) -> bytes:
    """Digest personal data with their salt; what is encrypted is what is digested."""
    return hashlib.sha256(plain).digest()


def read_personal(plain: bytes) -> tuple[Personal, bytes]:
    """Read personal data that were decrypted, and their salt."""
    values = json.loads(plain)
    personal = Personal(str(values["address"]), str(values["user_agent"]))
    return personal, bytes.fromhex(values["salt"])


def new_salt() -> bytes:
    """Draw a salt, which keeps addresses from being guessed from their digest."""
    return secrets.token_bytes(SALT_SIZE_BYTES)


def _plain(text: str) -> str:
    shortened = text[:_TEXT_LENGTH_MAX]
    return "".join(c if " " <= c <= "~" else "?" for c in shortened)
