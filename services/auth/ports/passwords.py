"""What new passwords need from the outside."""

from collections.abc import Sequence
from typing import Protocol

from services.auth.domain.passwords import StrengthEstimate


class PasswordStrength(Protocol):
    """Tells how hard passwords are to guess, under the same bound as hashing."""

    async def estimate(self, password: str, known: Sequence[str]) -> StrengthEstimate:
        """Estimate how hard a password is to guess for who knows some words.

        Raises:
            LoginThrottled: too many wait already.
        """


class PasswordHasher(Protocol):
    """Slow hashing, away from the event loop, with a bound on what may wait for it."""

    async def hash(self, password: str) -> str:
        """Hash a password.

        Raises:
            LoginThrottled: too many wait already.
        """

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether this is the password; with no hash, say no in the same time.

        Raises:
            LoginThrottled: too many wait already.
        """

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether the hash was made with other parameters than those in force."""
