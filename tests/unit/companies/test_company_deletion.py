"""A deletion ends with nothing left, wherever it was stopped and whatever got lost."""

import asyncio
import contextlib
import uuid
from dataclasses import replace

import pytest

from services.chassis.identity import Role
from services.companies.domain.companies import Company, CompanyEdit, CompanyState, NewCompany
from services.companies.domain.deletions import ERASING_SERVICES
from services.companies.domain.errors import (
    CompanyDeleting,
    CompanyNotFound,
    CompanyNotSuspended,
)
from services.companies.domain.lists import CompanyQuery
from services.companies.domain.quotas import NO_LIMITS
from services.companies.domain.vehicles import NewVehicle
from tests.fixtures.companies_fakes import REMINDER, CompaniesOnFakes, ProcessDiedError
from tests.fixtures.users_fakes import caller_with

MASTER = caller_with(Role.MASTER)


@pytest.fixture
def fakes() -> CompaniesOnFakes:
    """No companies."""
    return CompaniesOnFakes()


async def have(fakes: CompaniesOnFakes, name: str = "Acme", vehicles: int = 3) -> Company:
    """Have a company with vehicles."""
    new = NewCompany(name, plan_id="unlimited", request_id=uuid.uuid4())
    company = await fakes.companies.create_company(MASTER, new)
    for number in range(vehicles):
        new_vehicle = NewVehicle(company.company_id, f"AA-{number}")
        await fakes.vehicles.create_vehicle(MASTER, new_vehicle)
    return company


async def begin_deletion(fakes: CompaniesOnFakes, company: Company) -> Company:
    """Suspend a company and begin to delete it."""
    await fakes.companies.suspend_company(MASTER, company.company_id, "Left us.")
    return await fakes.companies.delete_company(MASTER, company.company_id)


def stored(fakes: CompaniesOnFakes, company: Company) -> Company:
    """Read a company as it is stored."""
    return fakes.transactions.companies[company.company_id]


async def test_only_suspended_companies_are_deleted(fakes: CompaniesOnFakes) -> None:
    """A company that people work with is not deleted by one call."""
    company = await have(fakes)

    with pytest.raises(CompanyNotSuspended):
        await fakes.companies.delete_company(MASTER, company.company_id)
    with pytest.raises(CompanyNotFound):
        await fakes.companies.delete_company(MASTER, uuid.uuid4())

    assert stored(fakes, company) == company


async def test_a_deletion_waits_for_every_service(fakes: CompaniesOnFakes) -> None:
    """Nothing goes here before the last report, and reports are shown with their times."""
    company = await have(fakes)
    begun = await begin_deletion(fakes, company)
    assert begun.state is CompanyState.DELETING
    assert fakes.transactions.announced[-1] == begun

    for count, service in enumerate(ERASING_SERVICES):
        await fakes.advance()
        assert len(fakes.transactions.vehicles) == 3
        deletion = stored(fakes, company).deletion
        assert deletion is not None
        assert [step.done_time is not None for step in deletion.steps].count(True) == count
        await fakes.note_erased(company.company_id, service)
    await fakes.advance()

    assert stored(fakes, company).state is CompanyState.DELETED
    assert not fakes.transactions.vehicles


async def test_a_tombstone_says_nothing(fakes: CompaniesOnFakes) -> None:
    """What is left are the id, the versions and the times; and everybody is told."""
    company = await have(fakes)
    begun = await begin_deletion(fakes, company)
    for service in ERASING_SERVICES:
        await fakes.note_erased(company.company_id, service)
    await fakes.advance()

    left = await fakes.companies.get_company(MASTER, company.company_id)

    assert (left.display_name, left.time_zone, left.language_code, left.plan_id) == ("",) * 4
    assert (left.quotas, left.suspension) == (NO_LIMITS, None)
    assert left.deletion is not None
    assert left.deletion.complete_time == left.update_time
    assert all(step.done_time for step in left.deletion.steps)
    assert begun.deletion is not None
    assert left.deletion.request_time == begun.deletion.request_time
    assert fakes.transactions.announced[-1] == left
    assert fakes.transactions.company_requests == {}


async def test_a_deleted_companys_name_is_free(fakes: CompaniesOnFakes) -> None:
    """Two companies of one name can be deleted one after the other."""
    for _ in range(2):
        company = await have(fakes)
        await begin_deletion(fakes, company)
        for service in ERASING_SERVICES:
            await fakes.note_erased(company.company_id, service)
        await fakes.advance()

    assert await fakes.companies.count_companies() == 0
    assert len(fakes.transactions.companies) == 2


async def test_deletions_leave_others_alone(fakes: CompaniesOnFakes) -> None:
    """Another company keeps what it has."""
    company, other = await have(fakes), await have(fakes, "Other")
    await begin_deletion(fakes, company)
    for service in ERASING_SERVICES:
        await fakes.note_erased(company.company_id, service)
    await fakes.advance()

    assert stored(fakes, other) == other
    assert {vehicle.company_id for vehicle in fakes.transactions.vehicles.values()} == {
        other.company_id
    }


async def test_deleting_again_changes_nothing(fakes: CompaniesOnFakes) -> None:
    """A retry answers how far it is, also once it is done."""
    company = await have(fakes)
    begun = await begin_deletion(fakes, company)

    assert await fakes.companies.delete_company(MASTER, company.company_id) == begun
    for service in ERASING_SERVICES:
        await fakes.note_erased(company.company_id, service)
    await fakes.advance()
    assert await fakes.companies.delete_company(MASTER, company.company_id) == stored(
        fakes, company
    )


@pytest.mark.parametrize(("finished", "error"), [(False, CompanyDeleting), (True, CompanyNotFound)])
async def test_nothing_changes_in_a_company_being_deleted(
    fakes: CompaniesOnFakes, *, finished: bool, error: type[Exception]
) -> None:
    """No edit, no way back, nothing new; nor in what is left of a deleted one."""
    company = await have(fakes)
    await begin_deletion(fakes, company)
    if finished:
        for service in ERASING_SERVICES:
            await fakes.note_erased(company.company_id, service)
        await fakes.advance()
    before = stored(fakes, company)

    changes = (
        fakes.companies.update_company(MASTER, company.company_id, CompanyEdit(display_name="X")),
        fakes.companies.suspend_company(MASTER, company.company_id, ""),
        fakes.companies.resume_company(MASTER, company.company_id),
        fakes.vehicles.create_vehicle(MASTER, NewVehicle(company.company_id, "NEW-1")),
    )
    for change in changes:
        with pytest.raises(error):
            await change

    assert stored(fakes, company) == before


async def test_other_services_hear_of_deletions_but_not_of_the_deleted(
    fakes: CompaniesOnFakes,
) -> None:
    """A company being deleted says so; a deleted one never was."""
    company = await have(fakes)
    begun = await begin_deletion(fakes, company)
    assert await fakes.companies.get_standing(company.company_id) == begun

    for service in ERASING_SERVICES:
        await fakes.note_erased(company.company_id, service)
    await fakes.advance()

    with pytest.raises(CompanyNotFound):
        await fakes.companies.get_standing(company.company_id)


async def test_lists_hide_the_deleted_unless_asked(fakes: CompaniesOnFakes) -> None:
    """What is left is listed on demand, with its progress."""
    company = await have(fakes)
    await begin_deletion(fakes, company)

    async def listed(query: CompanyQuery) -> list[Company]:
        page = await fakes.companies.list_companies(MASTER, query, after=None, limit=10)
        return list(page.companies)

    assert await listed(CompanyQuery()) == [stored(fakes, company)]
    for service in ERASING_SERVICES:
        await fakes.note_erased(company.company_id, service)
    await fakes.advance()

    assert await listed(CompanyQuery()) == []
    for query in (CompanyQuery(show_deleted=True), CompanyQuery(CompanyState.DELETED)):
        assert await listed(query) == [stored(fakes, company)]


async def test_silent_services_are_asked_again(fakes: CompaniesOnFakes) -> None:
    """After the interval, and no sooner, there is a further version that asks everybody."""
    company = await have(fakes)
    begun = await begin_deletion(fakes, company)
    await fakes.note_erased(company.company_id, "users")

    await fakes.advance()
    assert fakes.transactions.announced[-1] == begun

    fakes.clock.now += REMINDER
    await fakes.advance()
    await fakes.advance()

    asked = fakes.transactions.announced[-1]
    assert (asked.state, asked.version) == (CompanyState.DELETING, begun.version + 1)
    assert len(fakes.transactions.announced) == begun.version + 1
    assert asked.deletion is not None
    assert [step.service for step in asked.deletion.steps if step.done_time] == ["users"]


async def test_reports_that_are_no_news_are_ignored(fakes: CompaniesOnFakes) -> None:
    """Twice, out of place, from nobody, or about nobody: none of it changes anything."""
    company = await have(fakes)
    await fakes.note_erased(company.company_id, "users")
    assert stored(fakes, company) == company

    await begin_deletion(fakes, company)
    await fakes.note_erased(company.company_id, "users")
    noted = stored(fakes, company)
    for company_id, service in (
        (company.company_id, "users"),
        (company.company_id, "strangers"),
        (uuid.uuid4(), "users"),
    ):
        await fakes.note_erased(company_id, service)

    assert stored(fakes, company) == noted


async def test_reports_at_once_are_all_noted(fakes: CompaniesOnFakes) -> None:
    """No report overwrites another."""
    company = await have(fakes)
    await begin_deletion(fakes, company)

    await asyncio.gather(
        *(fakes.note_erased(company.company_id, service) for service in ERASING_SERVICES)
    )

    deletion = stored(fakes, company).deletion
    assert deletion is not None
    assert deletion.all_reported


@pytest.mark.parametrize("commits", range(7))
async def test_deletions_go_on_where_they_stopped(fakes: CompaniesOnFakes, commits: int) -> None:
    """Whichever commit a process dies at, the next one ends with the same outcome."""
    company = await have(fakes, vehicles=1200)
    await begin_deletion(fakes, company)
    for service in ERASING_SERVICES:
        await fakes.note_erased(company.company_id, service)

    fakes.transactions.commits_left = commits
    with contextlib.suppress(ProcessDiedError):
        await fakes.advance()
    fakes.transactions.commits_left = None
    await fakes.advance()

    left = stored(fakes, company)
    assert left.state is CompanyState.DELETED
    assert not fakes.transactions.vehicles
    told = [one for one in fakes.transactions.announced if one.state is CompanyState.DELETED]
    assert told == [left]


async def test_many_deletions_go_on_together(fakes: CompaniesOnFakes) -> None:
    """More than fit into one batch are all taken care of."""
    template = await begin_deletion(fakes, await have(fakes))
    for service in ERASING_SERVICES:
        await fakes.note_erased(template.company_id, service)
    template = stored(fakes, template)
    for number in range(250):
        copy = replace(template, company_id=uuid.uuid4(), display_name=f"Copy {number}")
        fakes.transactions.companies[copy.company_id] = copy

    await fakes.advance()

    assert {one.state for one in fakes.transactions.companies.values()} == {CompanyState.DELETED}
