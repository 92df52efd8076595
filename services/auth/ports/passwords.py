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
