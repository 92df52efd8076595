"""Chores are done at the start, when they are woken, and until the service stops."""

import asyncio

import pytest

from services.chassis.errors import Unavailable
from services.chassis.workers import Chore

HOUR_S = 3600.0


async def test_a_chore_is_done_at_once_and_when_woken() -> None:
    """Nobody waits for the interval who knows that there is something to do."""
    done: asyncio.Queue[None] = asyncio.Queue()

    async def do(_: asyncio.Event) -> None:
        done.put_nowait(None)

    chore, stopping = Chore("dishes", do, HOUR_S), asyncio.Event()
    running = asyncio.create_task(chore.run(stopping))
    await done.get()
    chore.wake()
    await done.get()
    stopping.set()
    await running

    assert done.empty()


async def test_a_wake_during_the_work_is_not_lost() -> None:
    """What turns up while the chore is done is done afterwards."""
    done = 0
    stopping = asyncio.Event()

    async def do(_: asyncio.Event) -> None:
        nonlocal done
        done += 1
        if done == 1:
            chore.wake()
        else:
            stopping.set()

    chore = Chore("dishes", do, HOUR_S)
    await chore.worker.run(stopping)

    assert done == 2


async def test_a_chore_that_fails_is_the_supervisors_business() -> None:
    """The worker ends with the failure, and whoever supervises it starts it again later."""

    async def do(_: asyncio.Event) -> None:
        raise Unavailable("The database does not answer.")

    with pytest.raises(Unavailable):
        await Chore("dishes", do, HOUR_S).worker.run(asyncio.Event())
