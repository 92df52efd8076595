"""States, deletions and what follows a plan are stored as they are, in memory and PostgreSQL."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from dashtrack.companies.v1.company_events_pb2 import CompanyChanged
from sqlmodel import select

from services.chassis.database import Database
from services.chassis.identity import CreationRequest, Role, TenantScope
from services.chassis.ids import new_id
from services.companies.domain.companies import Company, CompanyState, NewCompany
from services.companies.domain.deletions import ERASING_SERVICES
from services.companies.domain.demands import AlertDefaults, SecuritySettings
from services.companies.domain.errors import CompanyNotFound
from services.companies.domain.plans import NewPlan, Plan, PlanEdit
from services.companies.domain.quotas import Quotas
from services.companies.domain.vehicles import NewVehicle, Vehicle
from services.companies.ports.store import Transactions
from services.companies.storage.tables import OUTBOX
from tests.fixtures.companies_fake_plans import first_plans
from tests.fixtures.companies_fakes import FakeTransactions

EVERYTHING = TenantScope.everything()
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def new_plan(quotas: Quotas | None = None) -> Plan:
    """Make a plan with an id of its own."""
    return Plan.create(NewPlan(f"p{uuid.uuid4().hex[:20]}", "", quotas or Quotas()), NOW)


async def stored(transactions: Transactions, plan: Plan | None = None) -> Company:
    """Store a company that has something in every field."""
    new = NewCompany(
        uuid.uuid4().hex,
        "Europe/Lisbon",
        "pt",
        security=SecuritySettings(
            sessions_per_user_max=3, two_factor_roles=(Role.COMPANY_ADMIN, Role.DRIVER)
        ),
        alert_defaults=AlertDefaults(offline_after_s=60, remind_after_s=7, emails=("ñ@ex.pt",)),
    )
    plan = plan or first_plans()["standard"]
    company = Company.create(new, plan, company_id=new_id(), now=NOW)
    async with transactions.begin() as work:
        await work.companies.add(EVERYTHING, company)
    return company


async def saved(transactions: Transactions, *versions: Company) -> Company:
    """Store further versions of a company, and return it as it is read."""
    async with transactions.begin() as work:
        for version in versions:
            await work.companies.save(EVERYTHING, version)
    async with transactions.begin() as work:
        return await work.companies.get(EVERYTHING, versions[-1].company_id)


async def test_every_state_is_read_as_it_was_stored(transactions: Transactions) -> None:
    """From suspension to what is left, nothing is lost or rounded."""
    company = await stored(transactions)
    suspended = company.suspended("Não pagou.", LATER)
    resumed = suspended.resumed(LATER)
    again = resumed.suspended("", LATER)
    deleting = again.deleting(LATER)
    asked = deleting.asked_again(LATER + timedelta(hours=1))
    erased = asked
    for service in ERASING_SERVICES:
        erased = erased.reported(service, LATER + timedelta(hours=2))
    left = erased.deleted(LATER + timedelta(hours=3))

    for version in (suspended, resumed, again, deleting, asked, left):
        assert await saved(transactions, version) == version


async def test_reports_are_stored_within_a_version(transactions: Transactions) -> None:
    """A report changes the steps and nothing else, and only those of its own company."""
    company = (await stored(transactions)).suspended("", NOW)
    deleting = company.deleting(LATER)
    await saved(transactions, company, deleting)
    other = (await stored(transactions)).suspended("", NOW)
    other_deleting = other.deleting(LATER)
    await saved(transactions, other, other_deleting)
    reported = deleting.reported("users", LATER)

    async with transactions.begin() as work:
        scope = TenantScope.company(company.company_id)
        await work.companies.note_reports(TenantScope.company(new_id()), reported)
        assert await work.companies.get(scope, company.company_id) == deleting
        await work.companies.note_reports(scope, reported)

    async with transactions.begin() as work:
        assert await work.companies.get(EVERYTHING, company.company_id) == reported
        assert await work.companies.get(EVERYTHING, other.company_id) == other_deleting


async def test_what_is_being_deleted_is_listed_until_it_is(transactions: Transactions) -> None:
    """Deletions under way are found in the order of ids, page by page."""
    scope, deleting = EVERYTHING, []
    for _ in range(3):
        company = await stored(transactions)
        suspended = company.suspended("", NOW)
        deleting.append(await saved(transactions, suspended, suspended.deleting(LATER)))
    await stored(transactions)
    first = replace(deleting[0], company_id=uuid.UUID(int=deleting[0].company_id.int - 1))

    async with transactions.begin() as work:
        page = await work.companies.list_deleting(scope, first.company_id, 2)
        assert page == deleting[:2]
        assert await work.companies.list_deleting(scope, page[-1].company_id, 2) == deleting[2:]
        own = TenantScope.company(deleting[1].company_id)
        assert await work.companies.list_deleting(own, None, 9) == [deleting[1]]
    await saved(transactions, deleting[1].deleted(LATER))
    async with transactions.begin() as work:
        assert await work.companies.list_deleting(own, None, 9) == []


async def test_the_deleted_have_no_name_and_do_not_count(transactions: Transactions) -> None:
    """Any number of companies can be deleted, and nothing of a request stays."""
    async with transactions.begin() as work:
        before = await work.companies.count(EVERYTHING)
    for _ in range(2):
        company = await stored(transactions)
        suspended = company.suspended("", NOW)
        deleting = suspended.deleting(NOW)
        await saved(transactions, suspended, deleting, deleting.deleted(NOW))
    made = replace(await stored(transactions), company_id=new_id(), display_name=new_id().hex)
    request = CreationRequest.of(new_id(), new_id(), made.asked_for)
    async with transactions.begin() as work:
        await work.companies.add(EVERYTHING, made, request)
    suspended = made.suspended("", NOW)
    deleting = suspended.deleting(NOW)
    await saved(transactions, suspended, deleting, deleting.deleted(NOW))

    async with transactions.begin() as work:
        assert await work.companies.count(EVERYTHING) == before + 1
        assert await work.companies.made_by(EVERYTHING, request) is None


async def test_companies_behind_their_plan_are_found(transactions: Transactions) -> None:
    """Those that lack a plan's newest version are listed, and stop being once they have it."""
    plan = new_plan()
    async with transactions.begin() as work:
        await work.plans.add(plan)
    companies = [await stored(transactions, plan) for _ in range(3)]
    suspended = companies[1].suspended("", NOW)
    away = companies[2].suspended("", NOW)
    await saved(transactions, suspended)
    await saved(transactions, away, away.deleting(NOW))
    larger = plan.edited(PlanEdit(quotas={"users_max": 5}), LATER)

    async def behind() -> list[Company]:
        async with transactions.begin() as work:
            found = await work.companies.list_behind_for_change(EVERYTHING, 1000)
        return [company for company in found if company.plan_id == plan.plan_id]

    assert await behind() == []
    async with transactions.begin() as work:
        await work.plans.save(larger)
    assert await behind() == [companies[0], suspended]
    await saved(transactions, companies[0].on_plan(larger, LATER))
    assert await behind() == [suspended]
    async with transactions.begin() as work:
        own = TenantScope.company(suspended.company_id)
        assert await work.companies.list_behind_for_change(own, 1) == [suspended]
        other = TenantScope.company(new_id())
        assert await work.companies.list_behind_for_change(other, 1) == []


async def test_holdings_are_erased_part_by_part(transactions: Transactions) -> None:
    """One company's things go, a bounded number at a time, and nobody else's."""
    own, other = await stored(transactions), await stored(transactions)
    async with transactions.begin() as work:
        for company in (own, other):
            for number in range(3):
                new = NewVehicle(company.company_id, f"AA-{number}")
                vehicle = Vehicle.create(new, vehicle_id=new_id(), now=NOW)
                await work.vehicles.add(EVERYTHING, vehicle)

    erased: list[int] = []
    while not erased or erased[-1]:
        async with transactions.begin() as work:
            scope = TenantScope.company(own.company_id)
            erased.append(await work.holdings.erase_some(scope, 2))

    assert erased == [2, 1, 0]
    async with transactions.begin() as work:
        assert await work.vehicles.count(TenantScope.company(own.company_id)) == 0
        assert await work.vehicles.count(TenantScope.company(other.company_id)) == 3
        with pytest.raises(ValueError, match="whole platform"):
            await work.holdings.erase_some(EVERYTHING, 2)


@pytest.mark.parametrize("commits", [True, False])
async def test_events_share_the_fate_of_the_change(
    transactions: Transactions, request: pytest.FixtureRequest, *, commits: bool
) -> None:
    """An event is kept exactly if its transaction commits."""
    new = NewCompany(uuid.uuid4().hex)
    company = Company.create(new, first_plans()["standard"], company_id=new_id(), now=NOW)

    async def change() -> None:
        async with transactions.begin() as work:
            await work.events.announce(company)
            if not commits:
                raise RuntimeError("half way")

    if commits:
        await change()
    else:
        with pytest.raises(RuntimeError, match="half way"):
            await change()

    assert (str(company.company_id) in await announced(transactions, request)) is commits


async def announced(transactions: Transactions, request: pytest.FixtureRequest) -> set[str]:
    """Read which companies were announced, from wherever the adapter keeps it."""
    if isinstance(transactions, FakeTransactions):
        return {str(company.company_id) for company in transactions.announced}
    database: Database = request.getfixturevalue("database")
    async with database.transaction() as session:
        rows = (await session.exec(select(OUTBOX.c.subject, OUTBOX.c.payload))).all()
    assert {subject for subject, _ in rows} <= {"events.companies.changed"}
    return {CompanyChanged.FromString(payload).company_id for _, payload in rows}


async def test_a_locked_company_is_counted_by_one_at_a_time(transactions: Transactions) -> None:
    """However many creations run at once, each counts what the one before has added."""
    company = await stored(transactions)
    scope = TenantScope.company(company.company_id)

    async def add(number: int) -> int:
        async with transactions.begin() as work:
            await work.companies.get_for_change(scope, company.company_id)
            used = await work.vehicles.count(scope)
            await asyncio.sleep(0)
            new = NewVehicle(company.company_id, f"AA-{number}")
            vehicle = Vehicle.create(new, vehicle_id=new_id(), now=NOW)
            await work.vehicles.add(scope, vehicle)
            return used

    assert sorted(await asyncio.gather(*map(add, range(5)))) == [0, 1, 2, 3, 4]


async def test_deleted_companies_exist_no_less(transactions: Transactions) -> None:
    """What is left is read like any company, and is nobody else's."""
    company = (await stored(transactions)).suspended("", NOW)
    deleting = company.deleting(NOW)
    left = await saved(transactions, company, deleting, deleting.deleted(NOW))

    assert left.state is CompanyState.DELETED
    async with transactions.begin() as work:
        with pytest.raises(CompanyNotFound):
            await work.companies.get(TenantScope.company(new_id()), left.company_id)
