"""What the service does by itself: plans reach their companies, and deletions go on."""

import asyncio
from collections.abc import Awaitable, Callable

from services.chassis.audit.entries import acting
from services.chassis.workers import Worker, pause
from services.companies.usecases.deletions import AdvanceDeletions
from services.companies.usecases.plans import RollOutPlans

_INTERVAL_MAX_S = 5.0


class Chore:
    """Something that is done now and then, and at once after `wake`."""

    def __init__(self, name: str, do: Callable[[], Awaitable[None]], interval_s: float) -> None:
        self._do = do
        self._interval_s = interval_s
        self._woken = asyncio.Event()
        self.worker = Worker(name, self.run)

    def wake(self) -> None:
        """Have it done soon."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Do it until stopped."""
        while not stopping.is_set():
            self._woken.clear()
            await self._do()
            await pause(stopping, self._interval_s, woken=self._woken)


def rollout_chore(roll_out: RollOutPlans) -> Chore:
    """Make the chore that brings companies what their plans allow; replicas share it."""

    async def do() -> None:
        brought_up = 1
        while brought_up:
            with acting("companies", "RollOutPlans"):
                brought_up = await roll_out()

    return Chore("plan-rollout", do, _INTERVAL_MAX_S)


def deletion_chore(advance: AdvanceDeletions, reminder_s: float) -> Chore:
    """Make the chore that goes on with deletions."""
    return Chore("deletions", advance, min(reminder_s, _INTERVAL_MAX_S))
