"""Devices, and the codes and secrets by which a board becomes one."""

import base64
import enum
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from services.chassis.errors import EditConflict
from services.telemetry.domain.companies import CompanyFacts

_CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: nothing that reads like another
_CODE_GROUPS = 4
_CODE_GROUP_LENGTH = 4
_LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class DeviceStatus(enum.StrEnum):
    """Where a board is in its life."""

    REGISTERED = "registered"
    CLAIMED = "claimed"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Device:
    """A board."""

    device_id: uuid.UUID
    company_id: uuid.UUID
    hardware_id: str
    display_name: str
    vehicle_id: uuid.UUID | None
    status: DeviceStatus
    created_at: datetime
    version: int = 1
    last_upload_at: datetime | None = None

    @property
    def etag(self) -> str:
        """A text that differs from version to version."""
        return str(self.version)

    def edited(self, edit: "DeviceEdit") -> Self:
        """Return the version after an edit: this one if the edit changes nothing.

        Raises:
            EditConflict: the edit was made on another version.
        """
        if edit.etag and edit.etag != self.etag:
            message = "Somebody changed this device meanwhile."
            raise EditConflict(message)
        name = edit.display_name
        changed = replace(
            self,
            display_name=self.display_name if name is None else name or self.hardware_id,
            vehicle_id=edit.vehicle_id if edit.moves else self.vehicle_id,
        )
        return self if changed == self else replace(changed, version=self.version + 1)


@dataclass(frozen=True, slots=True)
class DeviceEdit:
    """New values for a device."""

    display_name: str | None = None
    """None to leave it as it is; empty for the hardware id."""
    moves: bool = False
    vehicle_id: uuid.UUID | None = None
    """Where it is mounted from now on, if it moves: None for nowhere."""
    etag: str = ""
    """What the caller saw last; empty to overwrite whatever is there."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """That a device was on a vehicle for some time."""

    company_id: uuid.UUID
    device_id: uuid.UUID
    vehicle_id: uuid.UUID
    start_at: datetime
    end_at: datetime | None = None
    """None while it lasts."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A wish for a device to be added."""

    company_id: uuid.UUID
    hardware_id: str
    display_name: str
    vehicle_id: uuid.UUID | None
    request_id: uuid.UUID | None

    @property
    def digest(self) -> bytes:
        """Tell two wishes under the same request id apart."""
        wish = "\0".join((self.hardware_id, self.display_name, str(self.vehicle_id)))
        return hashlib.blake2b(wish.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class ClaimTicket:
    """A claim code as it is shown once, and until when it works."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the registry keeps of a device's claim and secret."""

    device_id: uuid.UUID
    company_id: uuid.UUID
    hardware_id: str
    status: DeviceStatus
    claim_hash: bytes | None
    claim_expires_at: datetime | None
    nonce: bytes | None
    secret_hash: bytes | None
    secret_used: bool
    company_closed: bool = False
    """Whether the company is suspended, or being deleted."""


@dataclass(slots=True)
class DeviceFacts:
    """What an upload needs to know of its device."""

    company: CompanyFacts
    disabled: bool
    span_bound_ms: int
    sensors: frozenset[str] = frozenset()
    """Those that are known to count towards the company's quota."""


def new_claim_code() -> str:
    """Draw a code of 80 bits that people can read to each other."""
    groups = (
        "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_GROUP_LENGTH))
        for _ in range(_CODE_GROUPS)
    )
    return "-".join(groups)


def claim_code_hash(code: str) -> bytes:
    """Hash a code as typed: case, dashes and look-alikes don't matter."""
    return hashlib.sha256(code.upper().translate(_LOOKALIKES).encode()).digest()


def derive_secret(key: bytes, device_id: uuid.UUID, claim_hash: bytes, nonce: bytes) -> str:
    """Derive the secret of a board: the same claim with the same nonce always gets the same."""
    digest = hmac.digest(key, device_id.bytes + claim_hash + nonce, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def secret_hash(secret: str) -> bytes:
    """Hash a secret; it has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()
