"""What every store of companies promises, in memory and in PostgreSQL alike."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.chassis.errors import EditConflict, RequestIdReused
from services.chassis.identity import CreationRequest, TenantScope
from services.chassis.ids import new_id
from services.companies.domain.companies import Company, CompanyEdit, NewCompany
from services.companies.domain.errors import CompanyNameTaken, CompanyNotFound
from services.companies.domain.lists import CompanyQuery
from services.companies.ports.store import Transactions
from tests.fixtures.companies_fake_plans import first_plans

EVERYTHING = TenantScope.everything()
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = datetime(2026, 1, 3, tzinfo=UTC)


def company(name: str = "") -> Company:
    """Make a company with a name of its own."""
    new = NewCompany(name or f"Ñ 車 {uuid.uuid4().hex}", time_zone="Europe/Lisbon")
    return Company.create(new, first_plans()["standard"], company_id=new_id(), now=NOW)


def scope_of(made: Company) -> TenantScope:
    """Make a company's own scope."""
    return TenantScope.company(made.company_id)


async def stored(transactions: Transactions, made: Company) -> Company:
    """Store a company."""
    async with transactions.begin() as work:
        await work.companies.add(EVERYTHING, made)
    return made


async def test_companies_are_read_as_they_were_stored(transactions: Transactions) -> None:
    """Nothing is lost or rounded, whoever reads."""
    made = await stored(transactions, company())

    async with transactions.begin() as work:
        assert await work.companies.get(scope_of(made), made.company_id) == made
        assert await work.companies.get_for_change(EVERYTHING, made.company_id) == made


async def test_scopes_hide_others(transactions: Transactions) -> None:
    """Another company does not exist for a company."""
    foreign = await stored(transactions, company())
    renamed = foreign.edited(CompanyEdit(display_name=uuid.uuid4().hex), LATER)
    scope = TenantScope.company(new_id())

    async with transactions.begin() as work:
        with pytest.raises(CompanyNotFound):
            await work.companies.get(scope, foreign.company_id)
        with pytest.raises(CompanyNotFound):
            await work.companies.get_for_change(scope, foreign.company_id)
        assert not await work.companies.list_after(scope, CompanyQuery(), None, 10)
        assert await work.companies.count(scope) == 0
        with pytest.raises(EditConflict):
            await work.companies.save(scope, renamed)
        with pytest.raises(CompanyNotFound):
            await work.companies.add(scope, company())
    async with transactions.begin() as work:
        assert await work.companies.get(EVERYTHING, foreign.company_id) == foreign


async def test_names_are_unique_in_any_case(transactions: Transactions) -> None:
    """A name that differs in capitals only is taken, to add and to take on."""
    first, second = await stored(transactions, company()), await stored(transactions, company())
    same = first.display_name.upper()
    renamed = second.edited(CompanyEdit(display_name=same), LATER)

    with pytest.raises(CompanyNameTaken):
        await stored(transactions, company(same))
    with pytest.raises(CompanyNameTaken):
        async with transactions.begin() as work:
            await work.companies.save(EVERYTHING, renamed)


async def test_a_company_keeps_its_name_in_other_case(transactions: Transactions) -> None:
    """A name doesn't stand in the way of its own company."""
    made = await stored(transactions, company())
    shouted = made.edited(CompanyEdit(display_name=made.display_name.upper()), LATER)

    async with transactions.begin() as work:
        await work.companies.save(EVERYTHING, shouted)

    async with transactions.begin() as work:
        assert await work.companies.get(EVERYTHING, made.company_id) == shouted


async def test_companies_are_counted(transactions: Transactions) -> None:
    """Those in the scope are counted."""
    async with transactions.begin() as work:
        before = await work.companies.count(EVERYTHING)
    made = [await stored(transactions, company()) for _ in range(4)]

    async with transactions.begin() as work:
        assert await work.companies.count(scope_of(made[1])) == 1
        assert await work.companies.count(EVERYTHING) == before + 4


async def test_versions_follow_one_another(transactions: Transactions) -> None:
    """The next version is stored, and one that was made on an old version is not."""
    made = await stored(transactions, company())
    second = made.edited(CompanyEdit(language_code="pt"), LATER)

    async with transactions.begin() as work:
        await work.companies.save(scope_of(made), second)
    with pytest.raises(EditConflict):
        async with transactions.begin() as work:
            await work.companies.save(
                scope_of(made), made.edited(CompanyEdit(time_zone="UTC"), LATER)
            )

    async with transactions.begin() as work:
        assert await work.companies.get(EVERYTHING, made.company_id) == second


async def test_requests_are_remembered(transactions: Transactions) -> None:
    """A request finds what it made, as it stands now, for its own caller alone."""
    made = company()
    request = CreationRequest.of(new_id(), new_id(), made.asked_for)
    async with transactions.begin() as work:
        assert await work.companies.made_by(EVERYTHING, request) is None
        await work.companies.add(EVERYTHING, made, request)

    async with transactions.begin() as work:
        assert await work.companies.made_by(scope_of(made), request) == made
        assert await work.companies.made_by(TenantScope.company(new_id()), request) is None
        other = replace(request, caller_id=new_id())
        assert await work.companies.made_by(EVERYTHING, other) is None
        with pytest.raises(RequestIdReused):
            await work.companies.made_by(EVERYTHING, replace(request, digest=b"another wish"))


async def test_simultaneous_tries_make_one_company(transactions: Transactions) -> None:
    """However many tries of a request run at once, one adds and the others find."""
    request = CreationRequest.of(new_id(), new_id(), company().asked_for)

    async def attempt() -> bool:
        async with transactions.begin() as work:
            if await work.companies.made_by(EVERYTHING, request):
                return False
            await asyncio.sleep(0)
            await work.companies.add(EVERYTHING, company(), request)
            return True

    assert sorted(await asyncio.gather(*(attempt() for _ in range(5)))) == [False] * 4 + [True]
