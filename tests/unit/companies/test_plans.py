"""Plans are added, changed and retired, and companies follow them."""

import uuid
from dataclasses import replace

import pytest
from dashtrack.companies.v1 import plan_service_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.errors import (
    EditConflict,
    InvalidArgument,
    RequestIdReused,
    UpdateMaskInvalid,
)
from services.chassis.identity import Role
from services.chassis.page_tokens import PageTokenInvalid
from services.companies.codec import plans as codec
from services.companies.codec.quotas import QUOTA_NAMES
from services.companies.domain.companies import Company, CompanyState, NewCompany
from services.companies.domain.errors import PlanIdTaken, PlanNotFound
from services.companies.domain.plans import NewPlan, PlanEdit
from services.companies.domain.quotas import NO_LIMITS, Quotas
from tests.fixtures.companies_fakes import CompaniesOnFakes, ProcessDiedError
from tests.fixtures.users_fakes import caller_with

MASTER = caller_with(Role.MASTER)


@pytest.fixture
def fakes() -> CompaniesOnFakes:
    """No companies, the first plans."""
    return CompaniesOnFakes()


async def have(fakes: CompaniesOnFakes, count: int, plan_id: str = "starter") -> list[Company]:
    """Have companies on a plan."""
    return [
        await fakes.companies.create_company(
            MASTER, NewCompany(f"{plan_id} {number}", plan_id=plan_id)
        )
        for number in range(count)
    ]


async def test_plans_get_defaults(fakes: CompaniesOnFakes) -> None:
    """An id is enough: it is the name, and nothing is limited."""
    plan = await fakes.plans.create_plan(MASTER, NewPlan("gold"))

    assert (plan.display_name, plan.quotas, plan.retired) == ("gold", NO_LIMITS, False)
    assert await fakes.plans.get_plan("gold") == plan
    with pytest.raises(PlanIdTaken):
        await fakes.plans.create_plan(MASTER, NewPlan("gold"))
    with pytest.raises(PlanNotFound):
        await fakes.plans.get_plan("silver")


@pytest.mark.parametrize("plan_id", ["", "Gold", "1st", "-x", "a" * 33, "gold\n", "go ld"])
async def test_plan_ids_are_checked(fakes: CompaniesOnFakes, plan_id: str) -> None:
    """An id is what a path and a mask can hold."""
    with pytest.raises(InvalidArgument):
        await fakes.plans.create_plan(MASTER, NewPlan(plan_id))


@pytest.mark.parametrize("name", QUOTA_NAMES)
@pytest.mark.parametrize("value", [-1, 10**8])
async def test_quotas_are_checked(fakes: CompaniesOnFakes, name: str, value: int) -> None:
    """A quota that there can't be is refused by its path, at creation and at change."""
    quotas = replace(NO_LIMITS, **{name: value})

    for attempt in (
        fakes.plans.create_plan(MASTER, NewPlan("gold", quotas=quotas)),
        fakes.plans.update_plan("starter", PlanEdit(quotas={name: value})),
    ):
        with pytest.raises(InvalidArgument) as refusal:
            await attempt
        assert [found.field for found in refusal.value.violations] == [f"plan.quotas.{name}"]


async def test_repeated_requests_make_one_plan(fakes: CompaniesOnFakes) -> None:
    """A retry returns the plan as it stands now; other content under the same id is refused."""
    new = NewPlan("gold", request_id=uuid.uuid4())
    await fakes.plans.create_plan(MASTER, new)
    renamed = await fakes.plans.update_plan("gold", PlanEdit(display_name="Gold"))

    assert await fakes.plans.create_plan(MASTER, new) == renamed
    with pytest.raises(RequestIdReused):
        await fakes.plans.create_plan(MASTER, replace(new, quotas=Quotas(users_max=1)))


async def test_edits_change_what_they_name(fakes: CompaniesOnFakes) -> None:
    """The quotas that an edit leaves out stay, and what changes nothing is no version."""
    before = await fakes.plans.get_plan("starter")
    edit = PlanEdit(quotas={"vehicles_max": 20}, etag=before.etag)

    after = await fakes.plans.update_plan("starter", edit)

    assert after.quotas == replace(before.quotas, vehicles_max=20)
    assert after.version == 2
    assert await fakes.plans.update_plan("starter", replace(edit, etag="")) == after
    assert fakes.plan_changes == 1
    with pytest.raises(EditConflict):
        await fakes.plans.update_plan("starter", edit)


async def test_the_plan_of_everybody_stays(fakes: CompaniesOnFakes) -> None:
    """The plan that companies get by default can't be retired, others can and come back."""
    with pytest.raises(InvalidArgument):
        await fakes.plans.update_plan("standard", PlanEdit(retired=True))
    await fakes.plans.update_plan("starter", PlanEdit(retired=True))

    async def listed(*, show_retired: bool) -> list[str]:
        page = await fakes.plans.list_plans(after=None, limit=10, show_retired=show_retired)
        return [plan.plan_id for plan in page.plans]

    assert await listed(show_retired=False) == ["standard", "unlimited"]
    assert await listed(show_retired=True) == ["standard", "starter", "unlimited"]
    await fakes.plans.update_plan("starter", PlanEdit(retired=False))
    assert "starter" in await listed(show_retired=False)


async def test_plans_are_listed_page_by_page(fakes: CompaniesOnFakes) -> None:
    """Pages hold every plan once, and the last has no next."""
    first = await fakes.plans.list_plans(after=None, limit=2, show_retired=False)
    second = await fakes.plans.list_plans(after=first.next_after, limit=2, show_retired=False)

    found = [plan.plan_id for plan in [*first.plans, *second.plans]]
    assert found == ["standard", "starter", "unlimited"]
    assert (first.next_after, second.next_after) == ("starter", None)


async def test_companies_follow_their_plan(fakes: CompaniesOnFakes) -> None:
    """Each company on the plan gets the quotas by a version that is announced, others none."""
    (company,), (other,) = await have(fakes, 1), await have(fakes, 1, "standard")
    await fakes.plans.update_plan("starter", PlanEdit(quotas={"users_max": 77}))

    assert await fakes.roll_out() == 1
    assert await fakes.roll_out() == 0

    changed = fakes.transactions.companies[company.company_id]
    assert (changed.quotas.users_max, changed.version) == (77, 2)
    assert fakes.transactions.announced[-1] == changed
    assert fakes.transactions.companies[other.company_id] == other


async def test_a_rollout_takes_bounded_steps_and_resumes(fakes: CompaniesOnFakes) -> None:
    """A process that dies between two steps leaves the rest to the next one, once each."""
    companies = await have(fakes, 250)
    await fakes.plans.update_plan("starter", PlanEdit(quotas={"users_max": 77}))

    fakes.transactions.commits_left = 1
    assert await fakes.roll_out() == 50
    with pytest.raises(ProcessDiedError):
        await fakes.roll_out()
    fakes.transactions.commits_left = None
    while await fakes.roll_out():
        pass

    told = [one.company_id for one in fakes.transactions.announced if one.version == 2]
    assert sorted(told) == sorted(company.company_id for company in companies)
    assert {one.quotas.users_max for one in fakes.transactions.companies.values()} == {77}


async def test_companies_being_deleted_follow_no_plan(fakes: CompaniesOnFakes) -> None:
    """A suspended company follows; one that is being deleted gets nothing any more."""
    suspended, deleting = await have(fakes, 2)
    for company in (suspended, deleting):
        await fakes.companies.suspend_company(MASTER, company.company_id, "")
    await fakes.companies.delete_company(MASTER, deleting.company_id)
    await fakes.plans.update_plan("starter", PlanEdit(quotas={"users_max": 77}))

    assert await fakes.roll_out() == 1

    stored = fakes.transactions.companies
    assert stored[suspended.company_id].quotas.users_max == 77
    assert stored[suspended.company_id].state is CompanyState.SUSPENDED
    assert stored[deleting.company_id].quotas.users_max == 10


def decoded(plan: pb.Plan, *paths: str) -> PlanEdit:
    """Decode an update of one plan."""
    plan.plan_id = "gold"
    mask = FieldMask(paths=paths) if paths else None
    plan_id, edit = codec.decode_edit(pb.UpdatePlanRequest(plan=plan, update_mask=mask))
    assert plan_id == "gold"
    return edit


def test_masks_reach_into_quotas() -> None:
    """Quotas are changed whole or one by one, and without a mask those that are set."""
    plan = pb.Plan(retired=True)
    plan.quotas.users_max = 3

    assert decoded(plan) == PlanEdit(retired=True, quotas={"users_max": 3})
    assert decoded(plan, "quotas.devices_max") == PlanEdit(quotas={"devices_max": 0})
    whole = dict.fromkeys(QUOTA_NAMES, 0) | {"users_max": 3}
    assert decoded(plan, "quotas", "display_name") == PlanEdit(display_name="", quotas=whole)


@pytest.mark.parametrize("path", ["plan_id", "quotas.nonsense", "etag", "*", "", "retired.x"])
def test_masks_name_changeable_fields_only(path: str) -> None:
    """A path that cannot be changed is refused by name."""
    with pytest.raises(UpdateMaskInvalid) as refusal:
        decoded(pb.Plan(display_name="Gold"), "display_name", path)

    assert refusal.value.metadata == {"path": path}


def test_updates_name_their_plan() -> None:
    """An update without an id is refused by the name of the field."""
    with pytest.raises(InvalidArgument) as refusal:
        codec.decode_edit(pb.UpdatePlanRequest(plan=pb.Plan(display_name="Gold")))

    assert [found.field for found in refusal.value.violations] == ["plan.plan_id"]


async def test_plans_are_written_whole(fakes: CompaniesOnFakes) -> None:
    """Every fact about a plan is in the message, and page tokens lead on in their list."""
    page = await fakes.plans.list_plans(after=None, limit=1, show_retired=False)
    (plan,) = page.plans
    request = pb.ListPlansRequest(page_size=1)
    response = codec.encode_plan_page(page, request)
    (message,) = response.plans

    assert (message.plan_id, message.display_name, message.retired) == (
        plan.plan_id,
        plan.display_name,
        plan.retired,
    )
    assert {name: getattr(message.quotas, name) for name in QUOTA_NAMES} == {
        name: getattr(plan.quotas, name) for name in QUOTA_NAMES
    }
    assert message.etag == plan.etag
    request.page_token = response.next_page_token
    assert codec.decode_position(request) == plan.plan_id
    request.show_retired = True
    with pytest.raises(PageTokenInvalid):
        codec.decode_position(request)
