"""What every store of plans promises, in memory and in PostgreSQL alike."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.errors import EditConflict, RequestIdReused
from services.chassis.identity import CreationRequest
from services.chassis.ids import new_id
from services.companies.domain.errors import PlanIdTaken, PlanNotFound
from services.companies.domain.plans import NewPlan, Plan, PlanEdit
from services.companies.domain.quotas import Quotas
from services.companies.ports.store import Transactions
from tests.fixtures.companies_fake_plans import first_plans

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def new_plan(quotas: Quotas | None = None) -> Plan:
    """Make a plan with an id of its own."""
    return Plan.create(NewPlan(f"p{uuid.uuid4().hex[:20]}", "", quotas or Quotas()), NOW)


async def test_plans_are_read_as_they_were_stored(transactions: Transactions) -> None:
    """Every field comes back, versions follow one another, and ids are unique."""
    plan = new_plan(Quotas(users_max=1, vehicles_max=2, devices_max=3, retention_d=4))
    request = CreationRequest.of(new_id(), new_id(), plan.asked_for)
    changed = plan.edited(PlanEdit("Ñ", retired=True, quotas={"users_max": 9}), LATER)
    async with transactions.begin() as work:
        assert await work.plans.made_by(request) is None
        await work.plans.add(plan, request)
    with pytest.raises(PlanIdTaken):
        async with transactions.begin() as work:
            await work.plans.add(plan)
    async with transactions.begin() as work:
        assert await work.plans.get(plan.plan_id) == plan
        await work.plans.save(changed)
    with pytest.raises(EditConflict):
        async with transactions.begin() as work:
            await work.plans.save(changed)

    async with transactions.begin() as work:
        assert await work.plans.get_for_change(plan.plan_id) == changed
        assert await work.plans.made_by(request) == changed
        with pytest.raises(RequestIdReused):
            await work.plans.made_by(replace(request, digest=b"another wish"))
        with pytest.raises(PlanNotFound):
            await work.plans.get("nowhere")
        with pytest.raises(PlanNotFound):
            await work.plans.get_for_change("nowhere")


async def test_plans_are_listed_in_the_order_of_their_ids(transactions: Transactions) -> None:
    """Hyphens sort as code points do; retired plans are listed on demand."""
    start = f"p{uuid.uuid4().hex[:12]}"
    plans = [
        Plan.create(NewPlan(start + end, retired=end == "b"), NOW) for end in ("-z", "0", "a", "b")
    ]
    async with transactions.begin() as work:
        for plan in reversed(plans):
            await work.plans.add(plan)

    async with transactions.begin() as work:
        assert await work.plans.list_after(start, 4, show_retired=True) == plans
        rest = await work.plans.list_after(plans[1].plan_id, 1, show_retired=False)
        assert rest == plans[2:3]
        assert plans[3] not in await work.plans.list_after(start, 9, show_retired=False)


async def test_the_first_plans_are_there(transactions: Transactions) -> None:
    """A fresh database has the catalogue that the README promises."""
    async with transactions.begin() as work:
        for plan in first_plans().values():
            found = await work.plans.get(plan.plan_id)
            assert (found.display_name, found.quotas) == (plan.display_name, plan.quotas)
