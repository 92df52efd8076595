"""What the service does by itself: those who were deleted long enough ago are purged."""

import asyncio

from services.chassis.workers import Worker, pause
from services.users.usecases.purging import PurgeDeletedUsers


def purge_worker(purge: PurgeDeletedUsers, interval_s: float) -> Worker:
    """Make the worker that purges; replicas share the work."""

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            if not await purge():
                await pause(stopping, interval_s)

    return Worker("purge", run)
