"""What other services ask about people."""

import uuid
from collections.abc import Sequence

from services.chassis.identity import TenantScope
from services.users.domain.errors import UserNotFound
from services.users.domain.people import PeopleCount, User
from services.users.ports import Transactions


class StandingUseCases:
    """The questions of other services, which ask about one company at a time."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def get_person_of(self, company_id: uuid.UUID, user_id: uuid.UUID) -> User:
        """Return a person of a company; deleted ones don't exist.

        Raises:
            UserNotFound: the company has no such person.
        """
        async with self._transactions.begin() as work:
            user = await work.users.get(TenantScope.company(company_id), user_id)
        if user.delete_time is not None:
            raise UserNotFound(user_id)
        return user

    async def count_people_of(self, company_id: uuid.UUID) -> Sequence[PeopleCount]:
        """Count the people of a company by role and status."""
        async with self._transactions.begin() as work:
            return await work.users.count_people(TenantScope.company(company_id))
