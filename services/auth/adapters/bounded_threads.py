"""Threads for what takes long, with a bound on what may wait for them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from services.auth.domain.errors import LoginThrottled

_RETRY_AFTER_S = 1.0

T = TypeVar("T")


class BoundedThreads:
    """Does work away from the event loop: a flood waits or is refused, and delays nobody else."""

    def __init__(self, threads: int, queue_max: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._pending_max = threads + queue_max
        self._pending = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Do some work.

        Raises:
            LoginThrottled: too much waits already.
        """
        if self._pending >= self._pending_max:
            raise LoginThrottled(_RETRY_AFTER_S)
        loop = asyncio.get_running_loop()
        self._pending += 1
        job = self._executor.submit(work)
        # Counted until the thread is done with it: a caller that gave up does not free a thread.
        job.add_done_callback(lambda _: self._release(loop))
        return await asyncio.wrap_future(job)

    async def close(self) -> None:
        """Let the threads end; whoever still waits has been cancelled with their call."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._count_down)

    def _count_down(self) -> None:
        self._pending -= 1
