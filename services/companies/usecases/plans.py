"""What can be done with plans, and how their changes reach companies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.chassis.identity import Caller, CreationRequest, TenantScope
from services.companies.domain.plans import NewPlan, Plan, PlanEdit
from services.companies.ports.store import Clock, Transactions
from services.companies.usecases.companies import store

_ROLLOUT_BATCH_SIZE = 50


@dataclass(frozen=True, slots=True)
class PlanPage:
    """A part of a list, and after which id the next part starts: None on the last."""

    plans: Sequence[Plan]
    next_after: str | None


class PlanUseCases:
    """The operations on plans."""

    def __init__(
        self, transactions: Transactions, clock: Clock, on_changed: Callable[[], None]
    ) -> None:
        """Call `on_changed` when there may be companies that a change has to reach."""
        self._transactions = transactions
        self._clock = clock
        self._on_changed = on_changed

    async def create_plan(self, caller: Caller, new: NewPlan) -> Plan:
        """Add a plan, or return the one that an earlier try of the request added."""
        plan = Plan.create(new, self._clock())
        request = None
        if new.request_id:
            request = CreationRequest.of(caller.principal_id, new.request_id, plan.asked_for)
        async with self._transactions.begin() as work:
            if request and (made := await work.plans.made_by(request)):
                return made
            await work.plans.add(plan, request)
        return plan

    async def get_plan(self, plan_id: str) -> Plan:
        """Return a plan."""
        async with self._transactions.begin() as work:
            return await work.plans.get(plan_id)

    async def list_plans(self, *, after: str | None, limit: int, show_retired: bool) -> PlanPage:
        """Return a page of the plans."""
        async with self._transactions.begin() as work:
            found = await work.plans.list_after(after, limit + 1, show_retired=show_retired)
        page = found[:limit]
        return PlanPage(page, page[-1].plan_id if len(found) > limit else None)

    async def update_plan(self, plan_id: str, edit: PlanEdit) -> Plan:
        """Change a plan; the companies on it follow."""
        async with self._transactions.begin() as work:
            plan = await work.plans.get_for_change(plan_id)
            changed = plan.edited(edit, self._clock())
            if changed is not plan:
                await work.plans.save(changed)
        if changed is not plan:
            self._on_changed()
        return changed


class RollOutPlans:
    """Brings companies what their plans allow by now.

    A company knows the version of the plan that it has the quotas of; those that are behind are
    found and brought up in small transactions, by whichever replica comes first. Being stopped in
    between loses nothing: what is left is still behind.
    """

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    async def __call__(self) -> int:
        """Bring up some, all together or none; tell how many: 0 once none is left to this call."""
        everything, plans = TenantScope.everything(), dict[str, Plan]()
        async with self._transactions.begin() as work:
            behind = await work.companies.list_behind_for_change(everything, _ROLLOUT_BATCH_SIZE)
            for company in behind:
                if company.plan_id not in plans:
                    plans[company.plan_id] = await work.plans.get(company.plan_id)
                changed = company.on_plan(plans[company.plan_id], self._clock())
                await store(work, everything, company, changed)
        return len(behind)
