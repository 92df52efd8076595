"""What a board keeps in its flash: who it is, and how to prove it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Identity:
    """A board's identity; `device_id` and `secret` are empty until it is claimed."""

    hardware_id: str
    claim_code: str
    nonce: str = ""
    """Sent with the claim, in hexadecimal; kept so that a lost answer can be asked for again."""
    device_id: str = ""
    secret: str = ""

    @property
    def claimed(self) -> bool:
        """Return whether the board has its secret."""
        return bool(self.secret)

    def __repr__(self) -> str:
        """Return a text without anything secret."""
        return f"Identity(hardware_id={self.hardware_id!r}, claimed={self.claimed})"


class IdentityStore(Protocol):
    """Keeps an identity over a board's restarts."""

    def save(self, identity: Identity) -> None:
        """Keep the identity, replacing what was kept before."""
        ...


class ForgetfulStore:
    """Keeps nothing: such a board must be registered anew after a restart."""

    def save(self, identity: Identity) -> None:
        """Do nothing; see `IdentityStore.save`."""


class IdentityFile:
    """Keeps one board's identity in a file that only its owner reads."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, fallback: Identity) -> Identity:
        """Return the kept identity, or the fallback.

        A claim code that differs from the kept one wins: the board was registered anew.
        """
        if not self._path.exists():
            return fallback
        kept = Identity(**json.loads(self._path.read_text()))
        if fallback.claim_code in {"", kept.claim_code}:
            return kept
        return fallback

    def save(self, identity: Identity) -> None:
        """Keep the identity; a crash leaves either the old file or the new one."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self._path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(identity), file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._path)
