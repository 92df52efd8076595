"""Passwords and keys: generated once, kept in one file that only its owner can read."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

SERVICES = ("auth", "users", "companies", "telemetry")
_KEY_SIZE_BYTES = 32


def new_password() -> str:
    """Generate a password that needs no escaping anywhere."""
    return secrets.token_hex(24)


def _password_per_service() -> Mapping[str, str]:
    return {service: new_password() for service in SERVICES}


def _readable_password() -> str:
    # People type this one: five groups of four from 32 unmistakable letters are 100 bits.
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    groups = ("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(5))
    return "-".join(groups)


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(_KEY_SIZE_BYTES)).decode()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credentials:
    """Everything in the stack that must not be known outside."""

    postgres_superuser: str = field(default_factory=new_password)
    databases: Mapping[str, str] = field(default_factory=_password_per_service)
    nats_probe: str = field(default_factory=new_password)
    nats: Mapping[str, str] = field(default_factory=_password_per_service)
    services: Mapping[str, str] = field(default_factory=_password_per_service)
    """What a service proves itself with at auth."""
    encryption_key: str = field(default_factory=_key)
    """Encrypts what auth keeps at rest: 32 bytes in base64."""
    claim_key: str = field(default_factory=_key)
    """Derives boards' secrets in telemetry: 32 bytes in base64."""
    administrator_password: str = field(default_factory=_readable_password)


def load_credentials(path: Path) -> Credentials:
    """Read the credentials, making those that are missing."""
    known = {entry.name for entry in fields(Credentials)}
    stored: dict[str, Any] = {}
    if path.exists():
        path.chmod(0o600)
        stored = {key: value for key, value in json.loads(path.read_text()).items() if key in known}
    credentials = Credentials(**stored)
    if stored.keys() != known:
        _store(path, credentials)
    return credentials


def _store(path: Path, credentials: Credentials) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    # Never readable by others, not even for a moment; whole or not at all.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(credentials), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
