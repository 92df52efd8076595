"""What can be done with companies, by whom, and what it leaves behind."""

import uuid
from dataclasses import replace

import pytest

from services.chassis.errors import EditConflict, InvalidArgument, RequestIdReused
from services.chassis.identity import Caller, Role
from services.companies.domain.companies import Company, CompanyEdit, NewCompany
from services.companies.domain.errors import (
    CompanyNameTaken,
    CompanyNotFound,
)
from services.companies.domain.lists import CompanyQuery
from tests.fixtures.companies_fakes import CompaniesOnFakes
from tests.fixtures.users_fakes import caller_with

MASTER = caller_with(Role.MASTER)


@pytest.fixture
def fakes() -> CompaniesOnFakes:
    """No companies."""
    return CompaniesOnFakes()


async def have(fakes: CompaniesOnFakes, name: str = "Acme") -> Company:
    """Have a company."""
    return await fakes.companies.create_company(MASTER, NewCompany(name))


def member(company: Company, role: Role = Role.MANAGER) -> Caller:
    """Act as somebody of a company."""
    return caller_with(role, company.company_id)


async def test_companies_get_defaults(fakes: CompaniesOnFakes) -> None:
    """A name is enough for a company."""
    company = await have(fakes, " Acme ")

    assert (company.display_name, company.time_zone, company.language_code) == ("Acme", "UTC", "en")
    assert company.version == 1
    assert fakes.transactions.companies == {company.company_id: company}


@pytest.mark.parametrize("zone", ["Europe/Lisbon", "America/Argentina/Ushuaia", "UTC"])
async def test_places_have_time_zones(fakes: CompaniesOnFakes, zone: str) -> None:
    """Every name of IANA's database is a time zone."""
    company = await fakes.companies.create_company(MASTER, NewCompany("Acme", time_zone=zone))

    assert company.time_zone == zone


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewCompany(""), "company.display_name"),
        (NewCompany("a" * 101), "company.display_name"),
        (NewCompany("a\x00b"), "company.display_name"),
        (NewCompany("Acme", time_zone="Europe/Atlantis"), "company.time_zone"),
        (NewCompany("Acme", time_zone="../../etc/passwd"), "company.time_zone"),
        (NewCompany("Acme", time_zone="Europe/"), "company.time_zone"),
        (NewCompany("Acme", time_zone="localtime"), "company.time_zone"),
        (NewCompany("Acme", time_zone="a\x00b"), "company.time_zone"),
        (NewCompany("Acme", language_code="xx"), "company.language_code"),
    ],
)
async def test_company_fields_are_checked(
    fakes: CompaniesOnFakes, new: NewCompany, field: str
) -> None:
    """A value that breaks a rule is refused by the name of its field."""
    with pytest.raises(InvalidArgument) as refusal:
        await fakes.companies.create_company(MASTER, new)

    assert [violation.field for violation in refusal.value.violations] == [field]


async def test_names_are_unique_in_any_case(fakes: CompaniesOnFakes) -> None:
    """Two companies never share a name, whether by creation or by renaming."""
    await have(fakes, "Acme")
    other = await have(fakes, "Other")

    with pytest.raises(CompanyNameTaken):
        await have(fakes, "ACME")
    with pytest.raises(CompanyNameTaken):
        await fakes.companies.update_company(
            MASTER, other.company_id, CompanyEdit(display_name="acme")
        )


async def test_repeated_requests_make_one_company(fakes: CompaniesOnFakes) -> None:
    """A retry returns the company as it stands now; other content under the same id is refused."""
    new = NewCompany("Acme", request_id=uuid.uuid4())
    made = await fakes.companies.create_company(MASTER, new)
    renamed = await fakes.companies.update_company(
        MASTER, made.company_id, CompanyEdit(display_name="Ace")
    )

    assert await fakes.companies.create_company(MASTER, new) == renamed
    with pytest.raises(RequestIdReused):
        await fakes.companies.create_company(MASTER, replace(new, time_zone="Europe/Lisbon"))


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.MASTER])
async def test_members_see_their_company_alone(fakes: CompaniesOnFakes, role: Role) -> None:
    """A foreign company answers as one that does not exist, and no list holds it."""
    own, foreign = await have(fakes, "Own"), await have(fakes, "Foreign")
    caller = member(own, role)

    assert await fakes.companies.get_company(caller, own.company_id) == own
    page = await fakes.companies.list_companies(caller, CompanyQuery(), after=None, limit=10)
    assert list(page.companies) == [own]
    for company_id in (foreign.company_id, uuid.uuid4()):
        with pytest.raises(CompanyNotFound):
            await fakes.companies.get_company(caller, company_id)
        with pytest.raises(CompanyNotFound):
            await fakes.companies.update_company(caller, company_id, CompanyEdit())


async def test_masters_list_all_companies_page_by_page(fakes: CompaniesOnFakes) -> None:
    """Pages hold every company once, oldest first, and the last has no next."""
    expected = [await have(fakes, f"Company {number}") for number in range(3)]

    first = await fakes.companies.list_companies(MASTER, CompanyQuery(), after=None, limit=2)
    second = await fakes.companies.list_companies(
        MASTER, CompanyQuery(), after=first.next_after, limit=2
    )

    assert [*first.companies, *second.companies] == expected
    assert second.next_after is None
    assert await fakes.companies.count_companies() == 3


async def test_edits_change_what_they_name(fakes: CompaniesOnFakes) -> None:
    """None leaves a value, an empty text sets the default, and each change is a version."""
    company = await have(fakes)
    lisbon = CompanyEdit(time_zone="Europe/Lisbon", language_code="pt")
    admin = member(company, Role.COMPANY_ADMIN)

    moved = await fakes.companies.update_company(admin, company.company_id, lisbon)
    again = await fakes.companies.update_company(admin, company.company_id, lisbon)
    back = await fakes.companies.update_company(
        admin, company.company_id, CompanyEdit(time_zone="")
    )

    assert (moved.display_name, moved.time_zone, moved.version) == ("Acme", "Europe/Lisbon", 2)
    assert again == moved
    assert (back.time_zone, back.language_code, back.version) == ("UTC", "pt", 3)


async def test_stale_etags_are_refused(fakes: CompaniesOnFakes) -> None:
    """An edit of an old version changes nothing."""
    company = await have(fakes)
    edit = CompanyEdit(display_name="Ace", etag=company.etag)
    await fakes.companies.update_company(MASTER, company.company_id, edit)

    with pytest.raises(EditConflict):
        await fakes.companies.update_company(
            MASTER, company.company_id, replace(edit, display_name="Other")
        )
