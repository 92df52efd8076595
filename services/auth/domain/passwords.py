"""What makes a password good enough: its length, and that nobody would guess it soon."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from services.auth.domain.errors import PasswordTooWeak, Weakness

PASSWORD_LENGTH_MIN = 12

_WORD_LENGTH_MIN = 3
_SEPARATORS = re.compile(r"[\W_]+")
_GUESSED_HERE = ("dashtrack", "correcthorsebatterystaple")
"""What is tried on this product first, and the phrase that everybody has read about."""


@dataclass(frozen=True, slots=True)
class StrengthEstimate:
    """How hard a password is to guess for who knows the lists of leaked ones."""

    score: int
    """From 0, among the first guesses, to 4, beyond reach."""
    common: bool
    """Whether it is, or is like, one that many people have."""
    advice: str = ""
    """What is wrong with it and what would be better; sentences."""


def normalise_password(password: str) -> str:
    """Spell a password as it is hashed: keyboards differ in how they compose characters."""
    return unicodedata.normalize("NFKC", password)


def known_words(email: str, display_name: str = "") -> Sequence[str]:
    """Return what a guess about this person would start from."""
    words = {
        word
        for text in (email.casefold(), display_name.casefold())
        for word in (text, text.partition("@")[0], *_SEPARATORS.split(text))
        if len(word) >= _WORD_LENGTH_MIN
    }
    return [*_GUESSED_HERE, *sorted(words)]


def check_form(password: str, email: str, field_name: str) -> None:
    """Refuse a password for what can be seen without estimating anything.

    Raises:
        PasswordTooWeak: it is too short, or the address.
    """
    if len(password) < PASSWORD_LENGTH_MIN:
        description = f"A password has at least {PASSWORD_LENGTH_MIN} characters."
        raise PasswordTooWeak(field_name, Weakness.TOO_SHORT, description)
    if password.strip().casefold() == email.casefold():
        description = "A password is not the e-mail address."
        raise PasswordTooWeak(field_name, Weakness.GUESSABLE, description)


def check_strength(estimate: StrengthEstimate, score_min: int, field_name: str) -> None:
    """Refuse a password that would be guessed.

    Raises:
        PasswordTooWeak: it would.
    """
    if estimate.score >= score_min:
        return
    weakness, description = Weakness.GUESSABLE, "This password would be guessed."
    if estimate.common:
        weakness, description = Weakness.COMMON, "This password is among the first guesses."
    raise PasswordTooWeak(field_name, weakness, f"{description} {estimate.advice}".rstrip())
