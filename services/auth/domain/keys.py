"""Signing keys: published before they sign, and for as long as something they signed may live."""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key pair and the times at which it does what."""

    kid: str
    private_key: bytes = field(repr=False)
    public_key: bytes
    signs_from: datetime
    verifies_until: datetime | None = None
    """When nothing that it signed can be valid any more; None while no successor is planned."""

    def is_published(self, now: datetime) -> bool:
        """Whether the public half is in the key set."""
        return self.verifies_until is None or now < self.verifies_until

    def superseded(self, verifies_until: datetime) -> "SigningKey":
        """Return the key once its successor is planned."""
        return replace(self, verifies_until=self.verifies_until or verifies_until)


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """How keys follow each other."""

    overlap: timedelta
    """From the publication of a key to its first signature: two refreshes of who verifies."""
    interval: timedelta
    """How long one key signs before the next is due."""
    longest_token: timedelta


def signer(keys: Iterable[SigningKey], now: datetime) -> SigningKey:
    """Return the key that signs: the latest of those whose time has come."""
    return max(
        (key for key in keys if key.signs_from <= now and key.is_published(now)),
        key=lambda key: key.signs_from,
    )


def pending(keys: Iterable[SigningKey], now: datetime) -> SigningKey | None:
    """Return the key that is published and doesn't sign yet."""
    return next((key for key in keys if now < key.signs_from), None)


def thumbprint(public_key: bytes) -> str:
    """Name a key by what it is (RFC 7638, RFC 8037)."""
    members = json.dumps(_members(public_key), separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(members.encode()).digest())


def json_web_key_set(keys: Sequence[SigningKey]) -> bytes:
    """Write the public halves as a JSON Web Key Set (RFC 7517)."""
    use = {"use": "sig", "alg": "EdDSA"}
    document = {"keys": [{**_members(key.public_key), **use, "kid": key.kid} for key in keys]}
    return json.dumps(document, separators=(",", ":")).encode()


def _members(public_key: bytes) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public_key)}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
