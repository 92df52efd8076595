"""Dashboards: who sees which, what they are made of, and what is missing when others are away."""

import uuid

import pytest
from prometheus_client import CollectorRegistry

from services.chassis.errors import PermissionDenied
from services.chassis.identity import Caller, Role
from services.companies.codec.dashboards import encode_dashboard
from services.companies.domain.companies import Company, NewCompany
from services.companies.domain.dashboards import DashboardType, Part, QuotaUse
from services.companies.domain.errors import CompanyNotFound, CompanyRequired
from services.companies.domain.teams import NewTeam
from services.companies.domain.vehicles import NewVehicle, VehicleStatus, VehicleType
from services.companies.metrics import DashboardViewCounter
from tests.fixtures.companies_fakes import CompaniesOnFakes
from tests.fixtures.users_fakes import caller_with

MASTER = caller_with(Role.MASTER)


@pytest.fixture
def fakes() -> CompaniesOnFakes:
    """No companies."""
    return CompaniesOnFakes()


@pytest.fixture
async def company(fakes: CompaniesOnFakes) -> Company:
    """A company with a driven van, a bus in a team, and a retired car."""
    company = await fakes.companies.create_company(MASTER, NewCompany("Acme"))
    manager = caller_with(Role.MANAGER, company.company_id)
    team = await fakes.teams.create_team(manager, NewTeam(None, "North"))
    create = fakes.vehicles.create_vehicle
    van = await create(manager, NewVehicle(None, "AA01", type=VehicleType.VAN))
    await create(manager, NewVehicle(None, "AA02", type=VehicleType.BUS, team_id=team.team_id))
    await create(manager, NewVehicle(None, "AA03", status=VehicleStatus.RETIRED))
    driver = fakes.have_person(company)
    await fakes.assignments.assign_person(manager, van.vehicle_id, driver.user_id, replace=False)
    return company


def member(company: Company, role: Role = Role.COMPANY_ADMIN) -> Caller:
    """Act as somebody of the company."""
    return caller_with(role, company.company_id)


async def test_overviews_sum_everything_up(fakes: CompaniesOnFakes, company: Company) -> None:
    """Own numbers, people, devices, and how much of the plan is used."""
    seen = await fakes.dashboards.get_dashboard(member(company), DashboardType.OVERVIEW, None)

    assert seen.company_id == company.company_id
    assert seen.fleet.vehicles_by_status == {VehicleStatus.ACTIVE: 2, VehicleStatus.RETIRED: 1}
    assert (seen.fleet.vehicles, seen.fleet.active_without_driver, seen.fleet.teams) == (3, 1, 1)
    assert seen.people == fakes.people_census.figures
    assert seen.devices == fakes.device_census.figures
    assert seen.logins is None
    assert seen.unavailable_parts == []
    quotas = company.quotas
    assert seen.quota_uses == [
        QuotaUse("vehicles", 3, quotas.vehicles_max),
        QuotaUse("users", 4, quotas.users_max),
        QuotaUse("devices", 5, quotas.devices_max),
    ]


async def test_parts_that_are_away_are_left_out(fakes: CompaniesOnFakes, company: Company) -> None:
    """The rest is answered, and what is missing is named."""
    fakes.people_census.away = fakes.device_census.away = True

    seen = await fakes.dashboards.get_dashboard(member(company), DashboardType.OVERVIEW, None)

    assert seen.unavailable_parts == [Part.PEOPLE, Part.DEVICES]
    assert [use.quota for use in seen.quota_uses] == ["vehicles"]
    message = encode_dashboard(seen).overview
    assert message.vehicles.total == 3
    assert not message.HasField("people")
    assert not message.HasField("devices")


@pytest.mark.parametrize("kind", DashboardType)
async def test_services_are_asked_for_what_is_shown(
    fakes: CompaniesOnFakes, company: Company, kind: DashboardType
) -> None:
    """Nobody is asked in vain, the content is that of the type, and the view is counted."""
    asked = {
        DashboardType.OVERVIEW: {Part.PEOPLE, Part.DEVICES},
        DashboardType.FLEET: {Part.DEVICES},
        DashboardType.DRIVERS: {Part.PEOPLE},
        DashboardType.SECURITY: {Part.PEOPLE, Part.SECURITY},
    }
    censuses = {
        Part.PEOPLE: fakes.people_census.asked,
        Part.DEVICES: fakes.device_census.asked,
        Part.SECURITY: fakes.login_census.asked,
    }

    seen = await fakes.dashboards.get_dashboard(member(company), kind, None)

    assert {part for part, companies in censuses.items() if companies} == asked[kind]
    assert encode_dashboard(seen).WhichOneof("content") == kind.value
    assert fakes.views.views == {kind: 1}


async def test_managers_do_not_see_security(fakes: CompaniesOnFakes, company: Company) -> None:
    """Administrators and masters do; what is refused is not counted."""
    security = DashboardType.SECURITY

    with pytest.raises(PermissionDenied):
        await fakes.dashboards.get_dashboard(member(company, Role.MANAGER), security, None)

    assert not fakes.views.views
    for caller in (member(company), MASTER):
        seen = await fakes.dashboards.get_dashboard(caller, security, company.company_id)
        assert seen.logins == fakes.login_census.figures


async def test_dashboards_are_of_companies_in_reach(
    fakes: CompaniesOnFakes, company: Company
) -> None:
    """A master names one; foreign ones answer as unknown ones, before anybody is asked."""
    with pytest.raises(CompanyRequired):
        await fakes.dashboards.get_dashboard(MASTER, DashboardType.FLEET, None)
    other = await fakes.companies.create_company(MASTER, NewCompany("Other"))
    for company_id in (other.company_id, uuid.uuid4()):
        with pytest.raises(CompanyNotFound):
            await fakes.dashboards.get_dashboard(member(company), DashboardType.FLEET, company_id)
    assert not fakes.device_census.asked


def test_views_are_counted_by_type() -> None:
    """The promised series has one label, and all its values from the beginning."""
    registry = CollectorRegistry()
    counter = DashboardViewCounter(registry)

    counter.viewed(DashboardType.FLEET)

    values = {
        kind.value: registry.get_sample_value("dashboard_views_total", {"type": kind.value})
        for kind in DashboardType
    }
    assert values == {"overview": 0, "fleet": 1, "drivers": 0, "security": 0}
