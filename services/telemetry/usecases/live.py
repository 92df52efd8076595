"""Follows the log for those who watch: one reader for each company that somebody watches.

The log is the truth and hints only make it quick: without them a reader looks once a second. A
watcher that is too slow loses its oldest batches, and is told how many, but holds up nobody.
"""

import asyncio
import contextlib
import contextvars
import logging
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from services.chassis.errors import DomainError
from services.telemetry.ports.reading import (
    CommitHint,
    CommitLog,
    CommitSignal,
    CommittedBatch,
    LogPage,
)

_LOG = logging.getLogger(__name__)
_POLL_S = 1.0
_PACE_S = 0.02
"""The least time between two reads: commits that follow each other closely share one."""
_PACE_MAX_S = 0.2
_LAG_MAX_S = 240.0
"""A reader that was cut off for longer might find the log pruned: its watchers begin anew."""
_QUEUE_BATCHES = 256

UNAVAILABLE = "UNAVAILABLE"


class Watcher:
    """The bounded queue of one watch."""

    def __init__(self, device_id: uuid.UUID | None, capacity: int = _QUEUE_BATCHES) -> None:
        self._device_id = device_id
        self._capacity = capacity
        self._queue: deque[tuple[int, CommittedBatch]] = deque()
        self._skipped: dict[uuid.UUID, int] = {}
        self._from_position = 0
        self._known: Collection[int] = ()
        self.changed = asyncio.Event()
        self.ended = False
        """Whether nothing more will come."""

    def offer(self, position: int, batch: CommittedBatch) -> None:
        """Queue a batch, at the cost of the oldest if there is no room."""
        if self._device_id not in (None, batch.device_id) or not self._wants(position):
            return
        if len(self._queue) >= self._capacity:
            _, oldest = self._queue.popleft()
            self._skipped[oldest.device_id] = self._skipped.get(oldest.device_id, 0) + 1
        self._queue.append((position, batch))
        self.changed.set()

    def begin_after(self, position: int, included: Collection[int]) -> None:
        """Leave out what a snapshot holds: entries before a position, and some after it."""
        self._from_position = position
        self._known = included
        self._queue = deque(entry for entry in self._queue if self._wants(entry[0]))

    def take(self) -> tuple[CommittedBatch, int] | None:
        """Return the next batch, and how many of its device were left out before it."""
        if not self._queue:
            self.changed.clear()
            return None
        _, batch = self._queue.popleft()
        return batch, self._skipped.pop(batch.device_id, 0)

    def end(self) -> None:
        """Say that nothing more will come."""
        self.ended = True
        self.changed.set()

    def _wants(self, position: int) -> bool:
        return position >= self._from_position and position not in self._known


class _Feed:
    """Reads one company's log on behalf of all its watchers."""

    def __init__(
        self,
        company_id: uuid.UUID,
        position: int,
        log: CommitLog,
        signal: CommitSignal,
        context: contextvars.Context,
    ) -> None:
        self._company_id = company_id
        self._position = position
        self._log = log
        self._signal = signal
        self._read_at_s = time.monotonic()
        self._pace_s = _PACE_S
        self.watchers: set[Watcher] = set()
        self.task = asyncio.create_task(self._run(), name="live-feed", context=context)

    async def _run(self) -> None:
        try:
            async with self._signal.listen(self._company_id) as hint:
                while True:
                    await self._follow(hint)
        except Exception:
            _LOG.exception("a live feed failed")
            raise
        finally:
            for watcher in self.watchers:
                watcher.end()

    async def _follow(self, hint: CommitHint) -> None:
        hint.heard.clear()
        try:
            page = await self._log.read(self._company_id, self._position)
        except DomainError:
            if time.monotonic() - self._read_at_s > _LAG_MAX_S:
                raise
            await asyncio.sleep(_POLL_S)
            return
        self._read_at_s = time.monotonic()
        self._distribute(page)
        if page.entries:
            self._pace_s = _PACE_S
        elif hint.position >= self._position:
            # The announced entry waits for an older transaction to end; so do we.
            self._pace_s = min(2 * self._pace_s, _PACE_MAX_S)
        await asyncio.sleep(self._pace_s)
        if not page.entries and hint.position < self._position:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await hint.heard.wait()

    def _distribute(self, page: LogPage) -> None:
        for entry in page.entries:
            for batch in entry.batches:
                for watcher in self.watchers:
                    watcher.offer(entry.position, batch)
        self._position = page.next_position


class LiveFeeds:
    """The feeds that run, one for each company that somebody watches."""

    def __init__(self, log: CommitLog, signal: CommitSignal) -> None:
        self._log = log
        self._signal = signal
        self._feeds: dict[uuid.UUID, _Feed] = {}
        # A feed serves everybody: it runs as who built the service, not as the first watcher.
        self._context = contextvars.copy_context()

    @asynccontextmanager
    async def join(
        self, company_id: uuid.UUID, device_id: uuid.UUID | None
    ) -> AsyncIterator[Watcher]:
        """Watch a company, or one of its devices: everything that is committed from now on."""
        watcher = Watcher(device_id)
        feed = self._feeds.get(company_id)
        if feed is None or feed.task.done():
            position = await self._log.position()
            # Somebody else may have been quicker meanwhile.
            feed = self._feeds.get(company_id)
            if feed is None or feed.task.done():
                feed = self._feeds[company_id] = _Feed(
                    company_id, position, self._log, self._signal, self._context.copy()
                )
        feed.watchers.add(watcher)
        try:
            yield watcher
        finally:
            feed.watchers.discard(watcher)
            if not feed.watchers:
                await self._close(company_id, feed)

    @property
    def watcher_count(self) -> int:
        """How many watch."""
        return sum(len(feed.watchers) for feed in self._feeds.values())

    async def _close(self, company_id: uuid.UUID, feed: _Feed) -> None:
        if self._feeds.get(company_id) is feed:
            del self._feeds[company_id]
        feed.task.cancel()
        await asyncio.wait([feed.task])
