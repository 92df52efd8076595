"""What every store of vehicles promises, in memory and in PostgreSQL alike."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.chassis.errors import EditConflict, RequestIdReused
from services.chassis.identity import CreationRequest, TenantScope
from services.chassis.ids import new_id
from services.companies.domain.companies import Company, NewCompany
from services.companies.domain.errors import CompanyNotFound, PlateTaken, VehicleNotFound
from services.companies.domain.search import words_of
from services.companies.domain.vehicle_lists import VehicleOrder, VehiclePosition, VehicleQuery
from services.companies.domain.vehicles import (
    NewVehicle,
    Vehicle,
    VehicleEdit,
    VehicleStatus,
    VehicleType,
)
from services.companies.ports.store import Transactions
from tests.fixtures.companies_fake_plans import first_plans

EVERYTHING = TenantScope.everything()
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = datetime(2026, 1, 3, tzinfo=UTC)


@pytest.fixture
async def company_id(transactions: Transactions) -> uuid.UUID:
    """A company that is stored."""
    new = NewCompany(uuid.uuid4().hex)
    company = Company.create(new, first_plans()["standard"], company_id=new_id(), now=NOW)
    async with transactions.begin() as work:
        await work.companies.add(EVERYTHING, company)
    return company.company_id


def vehicle(
    company_id: uuid.UUID,
    plate: str = "AA-01-BB",
    name: str = "Carrinha 車",
    kind: VehicleType = VehicleType.VAN,
    odometer_m: int = 5,
) -> Vehicle:
    """Make a vehicle."""
    new = NewVehicle(company_id, plate, name, kind, odometer_m=odometer_m, vin="1HGCM82633A004352")
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
        assert not await work.vehicles.list_after(scope, VehicleQuery(), None, 10)
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


@pytest.mark.parametrize("direction", ["", " desc"])
@pytest.mark.parametrize("field", ["create_time", "display_name", "plate", "odometer_m"])
async def test_lists_go_on_after_a_position(
    transactions: Transactions, company_id: uuid.UUID, field: str, direction: str
) -> None:
    """Pages of any order hold everything once, in the order that the domain says."""
    order = VehicleOrder.parse(f"{field}{direction}")
    names = ["Émile", "adam", "Zoë", "adam", "車"]
    made = [
        await stored(transactions, vehicle(company_id, f"A{9 - n} 0{n}", name, odometer_m=n % 2))
        for n, name in enumerate(names)
    ]
    scope, query = TenantScope.company(company_id), VehicleQuery(order=order)

    found: list[Vehicle] = []
    after = None
    async with transactions.begin() as work:
        while page := await work.vehicles.list_after(scope, query, after, 2):
            found += page
            after = VehiclePosition(order.key(page[-1]), page[-1].vehicle_id)

    down = order.descending
    assert found == sorted(made, key=lambda one: (order.key(one), one.vehicle_id), reverse=down)


async def test_lists_hold_what_the_query_matches(
    transactions: Transactions, company_id: uuid.UUID
) -> None:
    """Each filter leaves out what it should, and wildcards are letters like others."""
    van = await stored(transactions, vehicle(company_id, "AA-01", "100% São", VehicleType.VAN))
    bus = await stored(transactions, vehicle(company_id, "AA-02", "Ônibus_7", VehicleType.BUS))
    scope = TenantScope.company(company_id)

    async def listed(query: VehicleQuery) -> list[Vehicle]:
        async with transactions.begin() as work:
            return list(await work.vehicles.list_after(scope, query, None, 10))

    assert await listed(VehicleQuery(words=words_of("SAO %"))) == [van]
    assert await listed(VehicleQuery(words=words_of("s_7"))) == [bus]
    assert await listed(VehicleQuery(words=words_of("aa02"))) == [bus]
    assert await listed(VehicleQuery(type=VehicleType.VAN)) == [van]
    assert await listed(VehicleQuery(status=VehicleStatus.ACTIVE)) == [van, bus]
    assert await listed(VehicleQuery(status=VehicleStatus.RETIRED)) == []
    assert await listed(VehicleQuery(team_id=new_id())) == []
    assert await listed(VehicleQuery(assigned_to=new_id())) == []


async def test_versions_follow_one_another(
    transactions: Transactions, company_id: uuid.UUID
) -> None:
    """The next version is stored, for whom the vehicle exists; another one is not."""
    made = await stored(transactions, vehicle(company_id))
    await stored(transactions, vehicle(company_id, "CC01"))
    scope = TenantScope.company(company_id)
    edit = VehicleEdit(type=VehicleType.BUS, status=VehicleStatus.RETIRED, odometer_m=9)
    second = made.edited(edit, LATER)

    async with transactions.begin() as work:
        with pytest.raises(EditConflict):
            await work.vehicles.save(TenantScope.company(new_id()), second)
        await work.vehicles.save(scope, second)
    async with transactions.begin() as work:
        assert await work.vehicles.get_for_change(scope, made.vehicle_id) == second
        with pytest.raises(EditConflict):
            await work.vehicles.save(scope, second)
    with pytest.raises(PlateTaken) as refusal:
        async with transactions.begin() as work:
            await work.vehicles.save(scope, second.edited(VehicleEdit(plate="CC01"), LATER))
    assert refusal.value.metadata == {"plate": "CC01"}


async def test_what_is_removed_is_gone_with_its_request(
    transactions: Transactions, company_id: uuid.UUID
) -> None:
    """A plate is free again, and the request that made the vehicle would make another."""
    made = vehicle(company_id)
    request = CreationRequest.of(new_id(), new_id(), made.asked_for)
    scope = TenantScope.company(company_id)
    async with transactions.begin() as work:
        await work.vehicles.add(scope, made, request)
        await work.vehicles.remove(TenantScope.company(new_id()), made.vehicle_id)
    async with transactions.begin() as work:
        assert await work.vehicles.get(scope, made.vehicle_id) == made
        await work.vehicles.remove(scope, made.vehicle_id)

    async with transactions.begin() as work:
        assert await work.vehicles.made_by(scope, request) is None
        with pytest.raises(VehicleNotFound):
            await work.vehicles.get_for_change(scope, made.vehicle_id)
        await work.vehicles.add(scope, vehicle(company_id), request)


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
