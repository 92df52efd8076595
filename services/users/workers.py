"""What the service does by itself: erases those who were deleted long enough ago, and companies."""

import asyncio

from services.chassis.audit.entries import acting
from services.chassis.workers import Worker, pause
from services.users.usecases.erasing import EraseCompanies
from services.users.usecases.purging import PurgeDeletedUsers

_ERASURE_INTERVAL_S = 10.0
"""How soon a replica goes on with what another one has left."""


def purge_worker(purge: PurgeDeletedUsers, interval_s: float) -> Worker:
    """Make the worker that purges; replicas share the work."""

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            with acting("users", "PurgeDeletedUsers"):
                purged = await purge()
            if not purged:
                await pause(stopping, interval_s)

    return Worker("purge", run)


def erasure_worker(erase: EraseCompanies, due: asyncio.Event) -> Worker:
    """Make the worker that erases companies; replicas share the work."""

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            due.clear()
            with acting("users", "EraseCompany"):
                erased = await erase()
            if not erased:
                await pause(stopping, _ERASURE_INTERVAL_S, woken=due)

    return Worker("erasure", run)
