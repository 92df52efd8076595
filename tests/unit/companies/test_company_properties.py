"""Whatever is done to a company in whatever order, its history makes sense to who follows it."""

import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import DomainError
from services.chassis.identity import Role
from services.companies.domain.companies import Company, CompanyEdit, CompanyState, NewCompany
from services.companies.domain.plans import PlanEdit
from services.companies.domain.vehicles import NewVehicle
from tests.fixtures.companies_fakes import REMINDER, CompaniesOnFakes
from tests.fixtures.users_fakes import caller_with

MASTER = caller_with(Role.MASTER)
Step = Callable[[CompaniesOnFakes, Company], Awaitable[object]]

FOLLOWS: Mapping[CompanyState, frozenset[CompanyState]] = {
    CompanyState.ACTIVE: frozenset({CompanyState.ACTIVE, CompanyState.SUSPENDED}),
    CompanyState.SUSPENDED: frozenset(CompanyState) - {CompanyState.DELETED},
    CompanyState.DELETING: frozenset({CompanyState.DELETING, CompanyState.DELETED}),
    CompanyState.DELETED: frozenset(),
}


async def let_time_pass(fakes: CompaniesOnFakes, _: Company) -> None:
    """Make reminders due."""
    fakes.clock.now += REMINDER
    await fakes.advance()


async def change_plan(fakes: CompaniesOnFakes, _: Company) -> None:
    """Change the quotas of the plan."""
    before = fakes.transactions.plans["standard"].quotas.users_max
    await fakes.plans.update_plan("standard", PlanEdit(quotas={"users_max": before + 1}))


STEPS: Mapping[str, Step] = {
    "suspend": lambda fakes, it: fakes.companies.suspend_company(MASTER, it.company_id, "Why"),
    "resume": lambda fakes, it: fakes.companies.resume_company(MASTER, it.company_id),
    "delete": lambda fakes, it: fakes.companies.delete_company(MASTER, it.company_id),
    "rename": lambda fakes, it: fakes.companies.update_company(
        MASTER, it.company_id, CompanyEdit(display_name=f"At {fakes.clock.now}")
    ),
    "move": lambda fakes, it: fakes.companies.update_company(
        MASTER, it.company_id, CompanyEdit(plan_id="starter")
    ),
    "plan": change_plan,
    "roll out": lambda fakes, _: fakes.roll_out(),
    "auth": lambda fakes, it: fakes.note_erased(it.company_id, "auth"),
    "telemetry": lambda fakes, it: fakes.note_erased(it.company_id, "telemetry"),
    "users": lambda fakes, it: fakes.note_erased(it.company_id, "users"),
    "strangers": lambda fakes, it: fakes.note_erased(it.company_id, "strangers"),
    "advance": lambda fakes, _: fakes.advance(),
    "wait": let_time_pass,
    "vehicle": lambda fakes, it: fakes.vehicles.create_vehicle(
        MASTER, NewVehicle(it.company_id, f"AA-{len(fakes.transactions.vehicles)}")
    ),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=40))
async def test_histories_make_sense(names: Sequence[str]) -> None:
    """Versions are announced one after the other, states never go back from a deletion."""
    fakes = CompaniesOnFakes()
    company = await fakes.companies.create_company(MASTER, NewCompany("Acme"))
    for name in names:
        # Many steps are out of place; that a refusal changes nothing is what is tested.
        with contextlib.suppress(DomainError):
            await STEPS[name](fakes, company)

    history = fakes.transactions.announced
    stored = fakes.transactions.companies[company.company_id]
    assert [told.version for told in history] == list(range(1, stored.version + 1))
    for before, after in itertools.pairwise(history):
        assert after.state in FOLLOWS[before.state]
        assert after.update_time >= before.update_time
    assert (stored.suspension is not None) is (
        stored.state in {CompanyState.SUSPENDED, CompanyState.DELETING}
    )
    assert (stored.deletion is not None) is (
        stored.state in {CompanyState.DELETING, CompanyState.DELETED}
    )
    if stored.state is CompanyState.DELETED:
        assert not fakes.transactions.vehicles
        assert stored.deletion is not None
        assert stored.deletion.all_reported


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=20))
async def test_every_suspended_company_can_be_deleted(names: Sequence[str]) -> None:
    """Whatever went before, the steps of a deletion lead to its end."""
    fakes = CompaniesOnFakes()
    company = await fakes.companies.create_company(MASTER, NewCompany("Acme"))
    for name in [*names, "suspend", "delete", "auth", "telemetry", "users", "advance"]:
        with contextlib.suppress(DomainError):
            await STEPS[name](fakes, company)

    assert fakes.transactions.companies[company.company_id].state is CompanyState.DELETED
    assert await fakes.companies.count_companies() == 0
