"""Argon2id in threads of its own: a flood of logins waits or is refused, and delays nobody else."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from services.auth.domain.errors import LoginThrottled

_RETRY_AFTER_S = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2Options:
    """What one hash costs, and how many may be worked on and wait."""

    memory_kib: int
    passes: int
    lanes: int
    threads: int
    queue_max: int


class Argon2PasswordHasher:
    """Hashes and verifies passwords; argon2's C code lets go of the interpreter lock."""

    def __init__(self, options: Argon2Options) -> None:
        self._argon2 = PasswordHasher(
            time_cost=options.passes,
            memory_cost=options.memory_kib,
            parallelism=options.lanes,
            type=Type.ID,
        )
        self._executor = ThreadPoolExecutor(options.threads, thread_name_prefix="argon2")
        self._pending_max = options.threads + options.queue_max
        self._pending = 0
        # What passwords of unknown people are checked against: nobody knows its password.
        self._nobody = self._argon2.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """Hash a password.

        Raises:
            LoginThrottled: too many wait already.
        """
        return await self._run(lambda: self._argon2.hash(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether this is the password; with no hash, say no in the same time.

        Raises:
            LoginThrottled: too many wait already.
        """
        matches = await self._run(lambda: self._matches(password_hash or self._nobody, password))
        return matches and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether the hash was made with other parameters than those in force."""
        return self._argon2.check_needs_rehash(password_hash)

    async def close(self) -> None:
        """Let the threads end; whoever still waits has been cancelled with their call."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._argon2.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._pending >= self._pending_max:
            raise LoginThrottled(_RETRY_AFTER_S)
        loop = asyncio.get_running_loop()
        self._pending += 1
        job = self._executor.submit(work)
        # Counted until the thread is done with it: a caller that gave up does not free a thread.
        job.add_done_callback(lambda _: self._release(loop))
        return await asyncio.wrap_future(job)

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._count_down)

    def _count_down(self) -> None:
        self._pending -= 1
