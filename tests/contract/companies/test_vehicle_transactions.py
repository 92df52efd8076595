"""What every store of vehicles promises, in memory and in PostgreSQL alike."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.chassis.errors import RequestIdReused
from services.chassis.identity import CreationRequest, TenantScope
from services.chassis.ids import new_id
from services.companies.domain.companies import Company, NewCompany
from services.companies.domain.errors import CompanyNotFound, PlateTaken, VehicleNotFound
from services.companies.domain.vehicles import NewVehicle, Vehicle
from services.companies.ports.store import Transactions
from tests.fixtures.companies_fake_plans import first_plans

EVERYTHING = TenantScope.everything()
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
async def company_id(transactions: Transactions) -> uuid.UUID:
    """A company that is stored."""
    new = NewCompany(uuid.uuid4().hex)
    company = Company.create(new, first_plans()["standard"], company_id=new_id(), now=NOW)
    async with transactions.begin() as work:
        await work.companies.add(EVERYTHING, company)
    return company.company_id


def vehicle(company_id: uuid.UUID, plate: str = "AA-01-BB") -> Vehicle:
    """Make a vehicle."""
    new = NewVehicle(company_id, plate, "Carrinha 車")
    return Vehicle.create(new, vehicle_id=new_id(), now=NOW)


async def stored(transactions: Transactions, made: Vehicle) -> Vehicle:
    """Store a vehicle."""
    async with transactions.begin() as work:
        await work.vehicles.add(TenantScope.company(made.company_id), made)
    return made


async def test_vehicles_are_read_as_they_were_stored(
    transactions: Transactions, company_id: uuid.UUID
) -> None:
    """Nothing is lost or rounded, whoever reads."""
    made = await stored(transactions, vehicle(company_id))

    async with transactions.begin() as work:
        own = TenantScope.company(company_id)
        assert await work.vehicles.get(own, made.vehicle_id) == made
        assert await work.vehicles.get(EVERYTHING, made.vehicle_id) == made


async def test_scopes_hide_others(transactions: Transactions, company_id: uuid.UUID) -> None:
    """Another company's vehicle does not exist for a company, which adds none to it either."""
    foreign = await stored(transactions, vehicle(company_id))
    scope = TenantScope.company(new_id())

    async with transactions.begin() as work:
        with pytest.raises(VehicleNotFound):
            await work.vehicles.get(scope, foreign.vehicle_id)
        assert not await work.vehicles.list_after(scope, None, 10)
        with pytest.raises(CompanyNotFound):
            await work.vehicles.add(scope, vehicle(company_id, "CC01"))


async def test_vehicles_need_their_company(transactions: Transactions) -> None:
    """A company that does not exist gets no vehicle, whatever the scope."""
    company_id = new_id()

    with pytest.raises(CompanyNotFound) as refusal:
        await stored(transactions, vehicle(company_id))

    assert refusal.value.metadata == {"company_id": str(company_id)}


async def test_plates_are_unique_within_a_company(
    transactions: Transactions, company_id: uuid.UUID
) -> None:
    """A plate is taken once, and the refusal says which."""
    await stored(transactions, vehicle(company_id))

    with pytest.raises(PlateTaken) as refusal:
        await stored(transactions, vehicle(company_id))

    assert refusal.value.metadata == {"plate": "AA-01-BB"}


async def test_lists_go_on_after_an_id(transactions: Transactions, company_id: uuid.UUID) -> None:
    """Lists are in the order of ids and bounded."""
    made = [await stored(transactions, vehicle(company_id, f"AA0{n}")) for n in range(4)]
    scope = TenantScope.company(company_id)

    async with transactions.begin() as work:
        assert await work.vehicles.list_after(scope, None, 3) == made[:3]
        assert await work.vehicles.list_after(scope, made[1].vehicle_id, 10) == made[2:]
        assert await work.vehicles.list_after(EVERYTHING, made[2].vehicle_id, 10) == made[3:]


async def test_requests_are_remembered(transactions: Transactions, company_id: uuid.UUID) -> None:
    """A request finds what it made, for its own caller and company alone."""
    made = vehicle(company_id)
    request = CreationRequest.of(new_id(), new_id(), made.asked_for)
    scope = TenantScope.company(company_id)
    async with transactions.begin() as work:
        assert await work.vehicles.made_by(scope, request) is None
        await work.vehicles.add(scope, made, request)

    async with transactions.begin() as work:
        assert await work.vehicles.made_by(scope, request) == made
        assert await work.vehicles.made_by(TenantScope.company(new_id()), request) is None
        other = replace(request, caller_id=new_id())
        assert await work.vehicles.made_by(EVERYTHING, other) is None
        with pytest.raises(RequestIdReused):
            await work.vehicles.made_by(EVERYTHING, replace(request, digest=b"another wish"))


async def test_simultaneous_tries_make_one_vehicle(
    transactions: Transactions, company_id: uuid.UUID
) -> None:
    """However many tries of a request run at once, one adds and the others find."""
    request = CreationRequest.of(new_id(), new_id(), vehicle(company_id).asked_for)

    async def attempt() -> bool:
        async with transactions.begin() as work:
            if await work.vehicles.made_by(EVERYTHING, request):
                return False
            await asyncio.sleep(0)
            await work.vehicles.add(EVERYTHING, vehicle(company_id), request)
            return True

    assert sorted(await asyncio.gather(*(attempt() for _ in range(5)))) == [False] * 4 + [True]
