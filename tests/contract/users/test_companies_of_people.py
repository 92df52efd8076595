"""What every store promises about a company's people as a whole: counted, and erased."""

import asyncio
from datetime import timedelta

import pytest

from services.chassis.identity import TenantScope
from services.chassis.ids import new_id
from services.users.domain.errors import CompanyNotFound
from services.users.ports import Transactions
from tests.contract.users.test_user_transactions import EVERYTHING, LATER, NOW, person, stored


async def test_a_companys_people_are_counted(transactions: Transactions) -> None:
    """Those of others are not, nor those who were deleted."""
    company_id = new_id()
    await stored(transactions, person(company_id))
    deactivated = await stored(transactions, person(company_id))
    deleted = await stored(transactions, person(company_id))
    await stored(transactions, person())
    async with transactions.begin() as work:
        await work.users.save(EVERYTHING, deactivated.deactivated(LATER))
        await work.users.save(EVERYTHING, deleted.deleted(LATER, timedelta(days=1)))

    async with transactions.begin() as work:
        assert await work.users.count_for_change(TenantScope.company(company_id), company_id) == 2
        with pytest.raises(CompanyNotFound):
            await work.users.count_for_change(TenantScope.company(new_id()), company_id)


async def test_who_counts_sees_what_others_add_before(transactions: Transactions) -> None:
    """Counting and adding are one step: simultaneous ones follow one another."""
    company_id = new_id()

    async def add() -> int:
        async with transactions.begin() as work:
            used = await work.users.count_for_change(EVERYTHING, company_id)
            await asyncio.sleep(0.01)
            await work.users.add(EVERYTHING, person(company_id))
            return used

    assert sorted(await asyncio.gather(*(add() for _ in range(5)))) == [0, 1, 2, 3, 4]


async def test_a_company_is_erased_once(transactions: Transactions) -> None:
    """It is taken until it is finished, and asking again neither restarts nor undoes that."""
    company_id = new_id()
    async with transactions.begin() as work:
        assert await work.erasures.request(company_id, NOW)
    async with transactions.begin() as work:
        assert await work.erasures.request(company_id, LATER)
        assert await work.erasures.take_next() == company_id

    async with transactions.begin() as work:
        await work.erasures.finish(company_id, LATER)

    async with transactions.begin() as work:
        assert await work.erasures.take_next() is None
        assert not await work.erasures.request(company_id, LATER)


async def test_a_companys_erasure_bars_it(transactions: Transactions) -> None:
    """Whoever wants to add somebody is told that the company does not exist."""
    company_id = new_id()
    async with transactions.begin() as work:
        await work.erasures.request(company_id, NOW)

    async with transactions.begin() as work:
        with pytest.raises(CompanyNotFound):
            await work.users.count_for_change(EVERYTHING, company_id)
        await work.erasures.finish(company_id, LATER)


async def test_an_erasure_waits_for_who_adds_somebody(transactions: Transactions) -> None:
    """Whoever was faster is found by the erasure."""
    company_id = new_id()
    counted, added = asyncio.Event(), asyncio.Event()

    async def add() -> None:
        async with transactions.begin() as work:
            await work.users.count_for_change(EVERYTHING, company_id)
            counted.set()
            await asyncio.sleep(0.05)
            await work.users.add(EVERYTHING, person(company_id))
            added.set()

    async def request() -> None:
        await counted.wait()
        async with transactions.begin() as work:
            await work.erasures.request(company_id, NOW)
            assert added.is_set()

    await asyncio.gather(add(), request())

    async with transactions.begin() as work:
        await work.erasures.finish(company_id, LATER)


async def test_people_are_listed_for_removal(transactions: Transactions) -> None:
    """Everybody of the scope, deleted or not, and no more than asked for."""
    company_id = new_id()
    scope = TenantScope.company(company_id)
    there, gone = [await stored(transactions, person(company_id)) for _ in range(2)]
    deleted = gone.deleted(LATER, timedelta(days=1))
    async with transactions.begin() as work:
        await work.users.save(EVERYTHING, deleted)

    async with transactions.begin() as work:
        found = await work.users.list_for_removal(scope, 10)
        assert sorted(user.user_id for user in found) == sorted([there.user_id, deleted.user_id])
        assert len(await work.users.list_for_removal(scope, 1)) == 1
        assert not await work.users.list_for_removal(TenantScope.company(new_id()), 10)
