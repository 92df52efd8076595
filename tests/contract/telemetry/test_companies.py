"""What every projection of companies promises, and every counter of sensors."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from services.chassis.database import Database
from services.chassis.errors import QuotaExceeded
from services.telemetry.domain.companies import CompanyStanding, CompanyState, Quotas
from services.telemetry.ports.companies import CompanyProjection
from services.telemetry.ports.ingest import SensorCounter
from services.telemetry.storage.companies import PostgresCompanies
from services.telemetry.storage.sensors import PostgresSensors
from tests.fixtures.telemetry_fakes import FakeProjection, FakeSensors

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
QUOTAS = Quotas(
    devices_max=1, sensors_per_device_max=2, retention_d=3, uploads_per_minute_max=1_000_000
)


@pytest.fixture(params=["fake", "postgres"])
def companies(request: pytest.FixtureRequest) -> CompanyProjection:
    """The adapter under test."""
    if request.param == "fake":
        return FakeProjection()
    return PostgresCompanies(request.getfixturevalue("telemetry_pool"))


@pytest.fixture(params=["fake", "postgres"])
def sensors(request: pytest.FixtureRequest) -> SensorCounter:
    """The adapter under test."""
    if request.param == "fake":
        return FakeSensors()
    return PostgresSensors(request.getfixturevalue("telemetry_pool"))


def standing(
    version: int = 1,
    state: CompanyState = CompanyState.ACTIVE,
    company_id: uuid.UUID | None = None,
) -> CompanyStanding:
    """How a company stands."""
    company_id = company_id or uuid.uuid4()
    return CompanyStanding(company_id, version, state, QUOTAS, "Europe/Lisbon")


async def test_standings_are_read_as_they_were_told(companies: CompanyProjection) -> None:
    """Nothing is lost; of others nothing is known."""
    told = standing(state=CompanyState.SUSPENDED)

    assert await companies.apply(told, NOW)

    assert await companies.find(told.company_id) == told
    assert await companies.find(uuid.uuid4()) is None


async def test_the_newest_version_counts(companies: CompanyProjection) -> None:
    """In whatever order they come, and however often."""
    first = standing()
    second = standing(2, CompanyState.SUSPENDED, first.company_id)
    assert await companies.apply(second, NOW)

    for told in (first, second):
        assert not await companies.apply(told, LATER)

    assert await companies.find(first.company_id) == second


async def test_changes_are_found_by_when_they_were_told(companies: CompanyProjection) -> None:
    """Those since a moment, and no others."""
    early, late = standing(), standing()
    await companies.apply(early, NOW)
    await companies.apply(late, LATER)

    found = await companies.changed_since(NOW + timedelta(minutes=1))

    assert late in found
    assert early not in found


@pytest.mark.parametrize("end", [CompanyState.DELETING, CompanyState.DELETED])
async def test_a_deletion_is_final(companies: CompanyProjection, end: CompanyState) -> None:
    """It holds at once, whatever its version, and nothing that comes after undoes it."""
    first = standing(5)
    await companies.apply(first, NOW)
    deleted = standing(4, end, first.company_id)

    assert await companies.apply(deleted, NOW)
    assert not await companies.apply(standing(6, company_id=first.company_id), LATER)

    assert await companies.find(first.company_id) == deleted


async def test_sensors_are_counted_up_to_the_limit(sensors: SensorCounter) -> None:
    """All of a batch or none; those that are known need no room."""
    device = (uuid.uuid4(), uuid.uuid4())
    assert await sensors.admit(*device, {"a", "b"}, 3) == {"a", "b"}

    with pytest.raises(QuotaExceeded) as refusal:
        await sensors.admit(*device, {"b", "c", "d"}, 3)

    assert refusal.value.metadata == {"quota": "sensors", "limit": "3", "used": "2"}
    assert await sensors.admit(*device, {"c"}, 3) == {"a", "b", "c"}
    assert await sensors.admit(*device, {"a", "c"}, 1) == {"a", "b", "c"}
    with pytest.raises(QuotaExceeded):
        await sensors.admit(*device, {"d"}, 3)


async def test_each_device_has_sensors_of_its_own(sensors: SensorCounter) -> None:
    """Other devices of the company don't count."""
    company_id = uuid.uuid4()
    for _ in range(3):
        assert await sensors.admit(company_id, uuid.uuid4(), {"a", "b"}, 2) == {"a", "b"}


async def test_simultaneous_uploads_share_the_room_there_is(sensors: SensorCounter) -> None:
    """Whatever the replica: never more than the limit."""
    device = (uuid.uuid4(), uuid.uuid4())

    outcomes = await asyncio.gather(
        *(sensors.admit(*device, {f"s{number}"}, 3) for number in range(8)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, QuotaExceeded) for outcome in outcomes) == 5
    assert max(len(outcome) for outcome in outcomes if isinstance(outcome, frozenset)) == 3


async def test_a_deletion_that_is_announced_again_waits_for_nobody(
    telemetry_pool: Database,
) -> None:
    """Uploads would wait behind it each time, for as long as an erasure takes."""
    companies = PostgresCompanies(telemetry_pool)
    gone = standing(2, CompanyState.DELETING)
    await companies.apply(gone, NOW)

    async with telemetry_pool.transaction() as erasing:
        await erasing.execute(sa.text("select from company_erasure for update"))
        assert not await companies.apply(replace(gone, version=3), LATER)
