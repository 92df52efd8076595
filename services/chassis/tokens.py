"""Verification of access tokens."""

from typing import Any, Protocol

AUDIENCE_API = "dashtrack-api"
AUDIENCE_DEVICE = "dashtrack-device"
AUDIENCE_SERVICE = "dashtrack-service"


class KeySource(Protocol):
    """Where the public keys that sign tokens come from."""

    def key(self, kid: str) -> Any | None:
        """Return the Ed25519 public key that is published under this id now; no I/O."""

    async def refresh(self) -> None:
        """Read the published keys again, unless that was done a moment ago."""
