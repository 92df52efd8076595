"""Erases people whose time to be had back is over."""

from services.chassis.audit.entries import note_resource
from services.chassis.identity import TenantScope
from services.users.ports import Clock, Transactions


class PurgeDeletedUsers:
    """Erases deleted people, each in a transaction and a record of the audit log of their own."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    async def __call__(self) -> int:
        """Erase somebody; tell how many: 0 once there is nobody left."""
        everything, now = TenantScope.everything(), self._clock()
        async with self._transactions.begin() as work:
            due = await work.users.list_due_for_change(everything, now, 1)
            for user in due:
                note_resource("user", user.user_id, user.company_id)
                await work.users.remove(everything, user.user_id)
                await work.events.announce_purged(user.purged(now))
        return len(due)
