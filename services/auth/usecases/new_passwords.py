"""Taking new passwords, wherever they are set."""

from dataclasses import dataclass

from services.auth.domain.passwords import check_form, check_strength, known_words
from services.auth.ports.passwords import PasswordHasher, PasswordStrength


@dataclass(frozen=True, slots=True)
class NewPasswords:
    """Refuses passwords that would be guessed, and hashes the others."""

    strength: PasswordStrength
    score_min: int
    hasher: PasswordHasher

    async def hashed(
        self, password: str, email: str, field_name: str, display_name: str = ""
    ) -> str:
        """Hash a password that keeps the rules.

        Raises:
            PasswordTooWeak: it doesn't.
            LoginThrottled: there is too much to do now.
        """
        check_form(password, email, field_name)
        await self.require_strong(password, email, field_name, display_name)
        return await self.hasher.hash(password)

    async def require_strong(
        self, password: str, email: str, field_name: str, display_name: str
    ) -> None:
        """Make sure that a password isn't guessed by who knows whose it is.

        Raises:
            PasswordTooWeak: it would be.
            LoginThrottled: there is too much to do now.
        """
        estimate = await self.strength.estimate(password, known_words(email, display_name))
        check_strength(estimate, self.score_min, field_name)
