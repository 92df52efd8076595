"""Waiting for what happens in its own time; the test's own time limit bounds it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from services.chassis.errors import Unavailable
from services.chassis.workers import Worker

T = TypeVar("T")


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until a condition holds."""
    while True:
        outcome = condition()
        if isinstance(outcome, Awaitable):
            outcome = await outcome
        if outcome:
            return
        await asyncio.sleep(0.02)


async def until_available(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try until what is needed is there."""
    while True:
        try:
            return await attempt()
        except Unavailable:
            await asyncio.sleep(0.05)


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[None]:
    """Run a worker for the length of a block, starting it again when it is stopped short."""
    stopping = asyncio.Event()

    async def keep() -> None:
        while not stopping.is_set():
            try:
                await worker.run(stopping)
            except Unavailable:
                await asyncio.sleep(0.05)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        stopping.set()
        await task
