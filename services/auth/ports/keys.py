"""What signing tokens needs from the outside."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from services.auth.domain.keys import SigningKey
from services.auth.domain.tokens import Claims, IssuedToken


class SigningKeyRepository(Protocol):
    """Signing keys; private halves are encrypted at rest."""

    async def list_published(self, now: datetime) -> Sequence[SigningKey]:
        """Return the keys that are in the key set, oldest first."""

    async def save(self, key: SigningKey) -> None:
        """Store a key, new or changed."""

    async def prune(self, now: datetime) -> None:
        """Forget keys that verify nothing any more."""


class TokenIssuer(Protocol):
    """Signs tokens."""

    def issue(self, claims: Claims, lifetime: timedelta) -> IssuedToken:
        """Sign these claims, and what every token claims of itself."""


class KeyGenerator(Protocol):
    """Makes key pairs."""

    def generate(self, signs_from: datetime) -> SigningKey:
        """Make a new Ed25519 key."""
