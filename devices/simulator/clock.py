"""Time as a board sees it; tests give it one that doesn't wait."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and passes it."""

    def unix_ms(self) -> int:
        """Return the wall clock, in milliseconds since 1970."""
        ...

    def monotonic_s(self) -> float:
        """Return a clock that never jumps, in seconds since any moment."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The clock of the machine."""

    def unix_ms(self) -> int:
        """Return the wall clock; see `Clock.unix_ms`."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return a clock that never jumps; see `Clock.monotonic_s`."""
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        """Wait; see `Clock.sleep`."""
        await asyncio.sleep(duration_s)
