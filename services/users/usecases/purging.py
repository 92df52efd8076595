"""Erases people whose time to be had back is over."""

from services.chassis.identity import TenantScope
from services.users.ports import Clock, Transactions

_BATCH_SIZE = 100


class PurgeDeletedUsers:
    """Erases deleted people, some at a time."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    async def __call__(self) -> int:
        """Erase some, all together or none; tell how many: 0 once there is nobody left."""
        everything, now = TenantScope.everything(), self._clock()
        async with self._transactions.begin() as work:
            due = await work.users.list_due_for_change(everything, now, _BATCH_SIZE)
            for user in due:
                await work.users.remove(everything, user.user_id)
                await work.events.announce_purged(user.purged(now))
        return len(due)
