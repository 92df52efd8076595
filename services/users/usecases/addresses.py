"""People's addresses, which auth has seen proven."""

import uuid
from dataclasses import dataclass

from services.chassis.audit.entries import note_resource
from services.chassis.identity import TenantScope
from services.users.ports import Clock, Transactions


@dataclass(frozen=True, slots=True)
class ChangeEmail:
    """Gives people addresses that they have proven to read."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, user_id: uuid.UUID, from_email: str, to_email: str) -> None:
        """Change an address, and note that it is verified; told again, change nothing.

        Raises:
            UserNotFound: there is no such person.
            UserDeleted: the person is deleted.
            EmailTaken: somebody else has the address.
            EditConflict: the person has another address than when this was asked for.
        """
        everything = TenantScope.everything()
        async with self.transactions.begin() as work:
            user = await work.users.get_for_change(everything, user_id)
            note_resource("user", user_id, user.company_id)
            changed = user.addressed(from_email, to_email, self.clock())
            if changed is not user:
                await work.users.save(everything, changed)
                await work.events.announce(changed)
