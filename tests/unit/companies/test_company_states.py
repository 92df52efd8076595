"""Companies are suspended, resumed and changed by whom it is up to, and all hear of it."""

from collections.abc import Awaitable, Callable

import pytest

from services.chassis.errors import InvalidArgument, PermissionDenied, QuotaExceeded
from services.chassis.identity import Caller, Role
from services.companies.domain.companies import Company, CompanyEdit, CompanyState, NewCompany
from services.companies.domain.demands import AlertDefaults, SecuritySettings
from services.companies.domain.errors import CompanyNotFound, PlanNotFound, PlanRetired
from services.companies.domain.plans import PlanEdit
from services.companies.domain.vehicle_lists import VehicleQuery
from services.companies.domain.vehicles import NewVehicle
from tests.fixtures.companies_fakes import CompaniesOnFakes
from tests.fixtures.users_fakes import caller_with

MASTER = caller_with(Role.MASTER)


@pytest.fixture
def fakes() -> CompaniesOnFakes:
    """No companies, the first plans."""
    return CompaniesOnFakes()


async def have(fakes: CompaniesOnFakes, name: str = "Acme", plan_id: str = "") -> Company:
    """Have a company."""
    return await fakes.companies.create_company(MASTER, NewCompany(name, plan_id=plan_id))


def admin_of(company: Company) -> Caller:
    """Act as the administrator of a company."""
    return caller_with(Role.COMPANY_ADMIN, company.company_id)


async def test_suspending_says_since_when_and_why(fakes: CompaniesOnFakes) -> None:
    """The reason is kept, and the second suspension changes neither it nor the time."""
    company = await have(fakes)

    suspended = await fakes.companies.suspend_company(MASTER, company.company_id, " No money. ")
    again = await fakes.companies.suspend_company(MASTER, company.company_id, "Other")

    assert suspended.state is CompanyState.SUSPENDED
    assert suspended.suspension is not None
    assert suspended.suspension.reason == "No money."
    assert suspended.suspension.suspend_time == suspended.update_time
    assert again == suspended


@pytest.mark.parametrize("reason", ["a\x00b", "\x1b[31m", "a" * 501])
async def test_reasons_can_be_shown(fakes: CompaniesOnFakes, reason: str) -> None:
    """A reason that nobody could read is refused; one of several lines is fine."""
    company = await have(fakes)

    with pytest.raises(InvalidArgument) as refusal:
        await fakes.companies.suspend_company(MASTER, company.company_id, reason)

    assert [found.field for found in refusal.value.violations] == ["reason"]
    suspended = await fakes.companies.suspend_company(MASTER, company.company_id, "No.\nReally.")
    assert suspended.suspension is not None
    assert suspended.suspension.reason == "No.\nReally."


async def test_resuming_brings_back_what_was(fakes: CompaniesOnFakes) -> None:
    """A resumed company is as before but for its version, and resuming again changes nothing."""
    company = await have(fakes)
    await fakes.companies.suspend_company(MASTER, company.company_id, "")

    resumed = await fakes.companies.resume_company(MASTER, company.company_id)

    assert (resumed.state, resumed.suspension) == (CompanyState.ACTIVE, None)
    assert resumed.version == 3
    assert await fakes.companies.resume_company(MASTER, company.company_id) == resumed


async def test_each_version_is_announced_once(fakes: CompaniesOnFakes) -> None:
    """Whoever follows the events knows every version, and hears nothing of what changed nothing."""
    company = await have(fakes)
    suspend, resume = fakes.companies.suspend_company, fakes.companies.resume_company
    for _ in range(2):
        await suspend(MASTER, company.company_id, "")
    for _ in range(2):
        await resume(MASTER, company.company_id)
    for _ in range(2):
        edit = CompanyEdit(display_name="Ace")
        await fakes.companies.update_company(MASTER, company.company_id, edit)

    announced = fakes.transactions.announced
    assert [(told.version, told.state, told.display_name) for told in announced] == [
        (1, CompanyState.ACTIVE, "Acme"),
        (2, CompanyState.SUSPENDED, "Acme"),
        (3, CompanyState.ACTIVE, "Acme"),
        (4, CompanyState.ACTIVE, "Ace"),
    ]
    assert announced[-1] == fakes.transactions.companies[company.company_id]


async def test_administrators_set_demands_and_defaults(fakes: CompaniesOnFakes) -> None:
    """What a company demands of logins is its administrator's to say, field by field."""
    company = await have(fakes)
    admin = admin_of(company)
    edit = CompanyEdit(
        security={"two_factor_roles": (Role.DRIVER, Role.COMPANY_ADMIN, Role.DRIVER)},
        alert_defaults={"emails": ("a@example.com", " a@example.com ")},
    )

    await fakes.companies.update_company(admin, company.company_id, edit)
    capped = await fakes.companies.update_company(
        admin, company.company_id, CompanyEdit(security={"sessions_per_user_max": 3})
    )

    assert capped.security == SecuritySettings(
        sessions_per_user_max=3, two_factor_roles=(Role.COMPANY_ADMIN, Role.DRIVER)
    )
    assert capped.alert_defaults == AlertDefaults(emails=("a@example.com",))


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (CompanyEdit(security={"sessions_per_user_max": -1}), "security.sessions_per_user_max"),
        (CompanyEdit(security={"sessions_per_user_max": 1001}), "security.sessions_per_user_max"),
        (CompanyEdit(security={"two_factor_roles": (Role.MASTER,)}), "security.two_factor_roles"),
        (CompanyEdit(alert_defaults={"offline_after_s": -1}), "alert_defaults.offline_after_s"),
        (CompanyEdit(alert_defaults={"remind_after_s": 10**9}), "alert_defaults.remind_after_s"),
        (CompanyEdit(alert_defaults={"emails": ("nobody",)}), "alert_defaults.emails"),
        (CompanyEdit(alert_defaults={"emails": ("a@b\nc.de",)}), "alert_defaults.emails"),
        (CompanyEdit(alert_defaults={"emails": ("a@" + "b" * 253,)}), "alert_defaults.emails"),
        (
            CompanyEdit(alert_defaults={"emails": tuple(f"{n}@b.de" for n in range(21))}),
            "alert_defaults.emails",
        ),
    ],
)
async def test_settings_are_checked(fakes: CompaniesOnFakes, edit: CompanyEdit, field: str) -> None:
    """A setting that breaks a rule is refused by the path of its field."""
    company = await have(fakes)

    with pytest.raises(InvalidArgument) as refusal:
        await fakes.companies.update_company(MASTER, company.company_id, edit)

    assert [found.field for found in refusal.value.violations] == [f"company.{field}"]


async def test_companies_are_on_the_standard_plan_unless_told_otherwise(
    fakes: CompaniesOnFakes,
) -> None:
    """A company has the quotas of its plan, and an unknown plan is refused."""
    usual, small = await have(fakes), await have(fakes, "Small", "starter")

    assert (usual.plan_id, usual.quotas.vehicles_max) == ("standard", 250)
    assert (small.plan_id, small.quotas.vehicles_max) == ("starter", 10)
    with pytest.raises(PlanNotFound):
        await have(fakes, "Odd", "golden")


@pytest.mark.parametrize("plan_id", ["unlimited", "standard", ""])
async def test_only_masters_name_a_plan(fakes: CompaniesOnFakes, plan_id: str) -> None:
    """Whoever else names one is refused, even the one that the company has."""
    company = await have(fakes)
    edit = CompanyEdit(plan_id=plan_id)

    with pytest.raises(PermissionDenied):
        await fakes.companies.update_company(admin_of(company), company.company_id, edit)

    changed = await fakes.companies.update_company(MASTER, company.company_id, edit)
    assert changed.plan_id == (plan_id or "standard")


async def test_nobody_moves_to_a_retired_plan(fakes: CompaniesOnFakes) -> None:
    """Who is on it stays and is edited as ever; nobody else gets it."""
    inside, outside = await have(fakes, "In", "starter"), await have(fakes, "Out")
    await fakes.plans.update_plan("starter", PlanEdit(retired=True))

    stays = await fakes.companies.update_company(
        MASTER, inside.company_id, CompanyEdit(plan_id="starter", language_code="pt")
    )

    assert (stays.plan_id, stays.language_code) == ("starter", "pt")
    with pytest.raises(PlanRetired):
        await fakes.companies.update_company(
            MASTER, outside.company_id, CompanyEdit(plan_id="starter")
        )
    with pytest.raises(PlanRetired):
        await have(fakes, "New", "starter")


async def test_a_plan_allows_as_many_vehicles_as_it_says(fakes: CompaniesOnFakes) -> None:
    """The vehicle beyond the quota is refused; a larger plan lets it in."""
    company = await have(fakes, plan_id="starter")
    admin = admin_of(company)
    for number in range(10):
        await fakes.vehicles.create_vehicle(admin, NewVehicle(None, f"AA-{number}"))

    with pytest.raises(QuotaExceeded) as refusal:
        await fakes.vehicles.create_vehicle(admin, NewVehicle(None, "AA-10"))

    assert refusal.value.metadata == {"quota": "vehicles", "limit": "10", "used": "10"}
    await fakes.companies.update_company(
        MASTER, company.company_id, CompanyEdit(plan_id="unlimited")
    )
    await fakes.vehicles.create_vehicle(admin, NewVehicle(None, "AA-10"))


async def test_a_smaller_plan_takes_nothing_away(fakes: CompaniesOnFakes) -> None:
    """A company that has more than it may keeps it, and gets nothing more."""
    company = await have(fakes)
    admin = admin_of(company)
    for number in range(11):
        await fakes.vehicles.create_vehicle(admin, NewVehicle(None, f"AA-{number}"))

    await fakes.companies.update_company(MASTER, company.company_id, CompanyEdit(plan_id="starter"))

    page = await fakes.vehicles.list_vehicles(admin, VehicleQuery(), after=None, limit=100)
    assert len(page.vehicles) == 11
    with pytest.raises(QuotaExceeded) as refusal:
        await fakes.vehicles.create_vehicle(admin, NewVehicle(None, "AA-11"))
    assert refusal.value.metadata["used"] == "11"


async def test_other_companies_vehicles_do_not_count(fakes: CompaniesOnFakes) -> None:
    """A quota is about the company's own things."""
    full, other = await have(fakes, "Full", "starter"), await have(fakes, "Other", "starter")
    for number in range(10):
        await fakes.vehicles.create_vehicle(admin_of(full), NewVehicle(None, f"AA-{number}"))

    vehicle = await fakes.vehicles.create_vehicle(admin_of(other), NewVehicle(None, "AA-1"))

    assert vehicle.company_id == other.company_id


Change = Callable[[CompaniesOnFakes, Company], Awaitable[object]]
CHANGES: dict[str, Change] = {
    "update": lambda fakes, it: fakes.companies.update_company(
        MASTER, it.company_id, CompanyEdit(display_name="New")
    ),
    "suspend": lambda fakes, it: fakes.companies.suspend_company(MASTER, it.company_id, ""),
    "resume": lambda fakes, it: fakes.companies.resume_company(MASTER, it.company_id),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_unknown_companies_are_not_changed(fakes: CompaniesOnFakes, change: str) -> None:
    """What doesn't exist can't be changed."""
    company = await have(fakes)
    del fakes.transactions.companies[company.company_id]

    with pytest.raises(CompanyNotFound):
        await CHANGES[change](fakes, company)
