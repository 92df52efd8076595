"""Argon2id in threads of its own: a flood of logins waits or is refused, and delays nobody else."""

import secrets
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from services.auth.adapters.bounded_threads import BoundedThreads


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2Options:
    """What one hash costs."""

    memory_kib: int
    passes: int
    lanes: int


class Argon2PasswordHasher:
    """Hashes and verifies passwords; argon2's C code lets go of the interpreter lock."""

    def __init__(self, options: Argon2Options, threads: BoundedThreads) -> None:
        self._threads = threads
        self._argon2 = PasswordHasher(
            time_cost=options.passes,
            memory_cost=options.memory_kib,
            parallelism=options.lanes,
            type=Type.ID,
        )
        # What passwords of unknown people are checked against: nobody knows its password.
        self._nobody = self._argon2.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """Hash a password.

        Raises:
            LoginThrottled: too many wait already.
        """
        return await self._threads.run(lambda: self._argon2.hash(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether this is the password; with no hash, say no in the same time.

        Raises:
            LoginThrottled: too many wait already.
        """
        known = password_hash or self._nobody
        matches = await self._threads.run(lambda: self._matches(known, password))
        return matches and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether the hash was made with other parameters than those in force."""
        return self._argon2.check_needs_rehash(password_hash)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._argon2.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
