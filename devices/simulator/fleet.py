"""Many boards at once: each samples a source of its own and uploads at its own pace."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from devices.simulator.board import Board
from devices.simulator.clock import Clock, SystemClock
from devices.simulator.drives import Source
from devices.simulator.tally import Tally

BACKFILL_BATCH_MS = 60_000
"""What a board that was out of reach packs into one batch."""

FIRST_UPLOAD_S = 5.0
"""Time to the first upload; from then on the server says when it wants the next."""


@dataclass(frozen=True, slots=True)
class Member:
    """A board and what it measures."""

    board: Board
    source: Source


class Fleet:
    """Boards that run side by side until they are done or stopped.

    They upload when the server wants them to, unless `batch_s` says otherwise.
    """

    def __init__(
        self, members: Sequence[Member], *, batch_s: float | None = None, clock: Clock | None = None
    ) -> None:
        self.members = members
        self._batch_s = batch_s
        self._clock = clock or SystemClock()
        self._stopping = asyncio.Event()

    @property
    def tally(self) -> Tally:
        """Return what all boards did so far."""
        return Tally.total(member.board.tally for member in self.members)

    @property
    def undelivered_count(self) -> int:
        """Return the number of batches that still wait, on boards that may still send."""
        return sum(m.board.pending_count for m in self.members if not m.board.stopped)

    def stop(self) -> None:
        """End the live phase early; what was sampled is still delivered."""
        self._stopping.set()

    async def claim(self, *, patience_s: float = 30.0) -> None:
        """Have all boards claim themselves and get their tokens."""
        await _all(member.board.drain(patience_s=patience_s) for member in self.members)

    async def backfill(self, since_ms: int, until_ms: int, *, patience_s: float = 30.0) -> None:
        """Deliver what was sampled in a span of the past, as fast as the boards can."""
        await _all(
            self._backfill(member, since_ms, until_ms, patience_s) for member in self.members
        )

    async def live(self, duration_s: float, *, patience_s: float = 10.0) -> None:
        """Sample and upload as time passes, then deliver the rest."""
        end_s = self._clock.monotonic_s() + duration_s
        count = len(self.members)
        await _all(
            # Boards that were switched on together don't upload at the same instant.
            self._live(member, end_s, (index + 1) / count, patience_s)
            for index, member in enumerate(self.members)
        )

    async def _backfill(
        self, member: Member, since_ms: int, until_ms: int, patience_s: float
    ) -> None:
        ends_ms = range(since_ms + BACKFILL_BATCH_MS, until_ms, BACKFILL_BATCH_MS)
        for end_ms in (*ends_ms, until_ms):
            if self._stopping.is_set() or member.board.stopped:
                break
            member.board.record(member.source.take(end_ms))
            if member.board.full:
                await member.board.drain(patience_s=patience_s)
        await member.board.drain(patience_s=patience_s)

    async def _live(self, member: Member, end_s: float, phase: float, patience_s: float) -> None:
        pause_s = self._interval_s(member.board) * phase
        while not member.board.stopped and not self._stopping.is_set():
            left_s = end_s - self._clock.monotonic_s()
            if left_s <= 0:
                break
            await self._pause(min(pause_s, left_s))
            member.board.record(member.source.take(self._clock.unix_ms()))
            began_s = self._clock.monotonic_s()
            await member.board.drain(patience_s=self._interval_s(member.board))
            took_s = self._clock.monotonic_s() - began_s
            pause_s = max(0.0, self._interval_s(member.board) - took_s)
        await member.board.drain(patience_s=patience_s)

    def _interval_s(self, board: Board) -> float:
        return self._batch_s or board.next_upload_s or FIRST_UPLOAD_S

    async def _pause(self, duration_s: float) -> None:
        """Wait, unless the fleet is stopped meanwhile."""
        waits = [
            asyncio.ensure_future(self._clock.sleep(duration_s)),
            asyncio.ensure_future(self._stopping.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


async def _all(works: Iterable[Coroutine[Any, Any, object]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for work in works:
            tasks.create_task(work)
