"""Following users: who no longer drives, helps, or is in a team."""

from services.chassis.identity import TenantScope
from services.companies.domain.assignments import may_have_duty
from services.companies.domain.errors import CompanyDeleting, CompanyNotFound
from services.companies.domain.people import Person, PersonChange
from services.companies.ports.store import Clock, Transactions, UnitOfWork

CONSUMER = "companies-users-changed"


class ApplyPersonChange:
    """Ends what a person no longer may, and forgets whoever was erased."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    async def __call__(self, change: PersonChange) -> None:
        """Apply a change; one that was applied before, or is older, changes nothing."""
        person = change.person
        scope = TenantScope.company(person.company_id)
        async with self._transactions.begin() as work:
            if not await work.inbox.first_delivery(CONSUMER, change.event_id):
                return
            if not await _is_there(work, scope):
                return
            newest = await work.people.keep(scope, person)
            if newest.version > person.version:
                return
            await self._end_assignments(work, scope, person)
            if not person.active:
                await self._end_membership(work, scope, person)
            if change.purged:
                await work.assignments.forget_person(scope, person.user_id)
                await work.memberships.forget_person(scope, person.user_id)
                await work.people.forget(scope, person.user_id)

    async def _end_assignments(self, work: UnitOfWork, scope: TenantScope, person: Person) -> None:
        now = self._clock()
        for current in await work.assignments.current_for_change(scope, None, person.user_id):
            if not may_have_duty(person, current.duty):
                await work.assignments.end(scope, current.ended(now))

    async def _end_membership(self, work: UnitOfWork, scope: TenantScope, person: Person) -> None:
        current = await work.memberships.current_of(scope, person.user_id)
        if current is not None:
            await work.memberships.end(scope, current.ended(self._clock()))


async def _is_there(work: UnitOfWork, scope: TenantScope) -> bool:
    """Tell whether people's company is there to stay, and keep it so for the transaction.

    What is heard of a company's people while it is erased would bring them back.
    """
    if scope.company_id is None:
        return False
    try:
        company = await work.companies.get_for_change(scope, scope.company_id)
        company.require_changeable()
    except (CompanyNotFound, CompanyDeleting):
        return False
    return True
