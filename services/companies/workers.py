"""What the service does by itself: plans reach their companies, and deletions go on."""

import asyncio

from services.chassis.audit.entries import acting
from services.chassis.workers import Chore
from services.companies.usecases.deletions import AdvanceDeletions
from services.companies.usecases.plans import RollOutPlans

_INTERVAL_MAX_S = 5.0


def rollout_chore(roll_out: RollOutPlans) -> Chore:
    """Make the chore that brings companies what their plans allow; replicas share it."""

    async def do(stopping: asyncio.Event) -> None:
        brought_up = 1
        while brought_up and not stopping.is_set():
            with acting("companies", "RollOutPlans"):
                brought_up = await roll_out()

    return Chore("plan-rollout", do, _INTERVAL_MAX_S)


def deletion_chore(advance: AdvanceDeletions, reminder_s: float) -> Chore:
    """Make the chore that goes on with deletions."""

    async def do(_: asyncio.Event) -> None:
        await advance()

    return Chore("deletions", do, min(reminder_s, _INTERVAL_MAX_S))
