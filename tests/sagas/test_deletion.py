"""A company's deletion comes to its end, whoever dies on the way, and leaves nothing behind."""

from contextlib import ExitStack

import pytest

from devices.simulator.boot import TimeSource
from tests.fixtures.shutting_out import RealServices
from tests.fixtures.system import System
from tests.fixtures.waiting import eventually
from tests.sagas.boards import SimulatedBoard
from tests.sagas.deletions import assert_deleted, delete, reported
from tests.sagas.faults import CUTS, Cut, Standstill, cut_around_publishing
from tests.sagas.tenants import Tenant, new_tenant
from tests.sagas.traces import FLEETING, IMPERSONAL, TOMBSTONES, Contents, tables_without

pytestmark = pytest.mark.timeout(180)

Neighbour = tuple[Tenant, Contents]

HEARING = (
    Standstill(
        service="auth",
        table="companies",
        statement="UPDATE companies",
        evidence="SELECT 1 FROM companies WHERE company_id = $1 AND state = 'deleting'",
        durable="auth-companies-changed",
    ),
    Standstill(
        service="telemetry",
        table="company",
        statement="INSERT INTO company ",
        evidence="SELECT 1 FROM company_erasure WHERE company_id = $1",
        durable="telemetry-companies-changed",
    ),
    Standstill(
        service="users",
        table="company_erasures",
        statement="INSERT INTO company_erasures",
        evidence="SELECT 1 FROM company_erasures WHERE company_id = $1",
        durable="users-companies-changed",
    ),
)
"""Where the others hear of a deletion."""
ERASING = (
    Standstill(
        service="auth",
        table="credentials",
        statement="DELETE FROM credentials",
        evidence="SELECT erased_at FROM companies WHERE company_id = $1",
    ),
    Standstill(
        service="telemetry",
        table="telemetry_batch",
        statement="DELETE FROM telemetry_batch",
        evidence="SELECT erased_at FROM company_erasure WHERE company_id = $1",
    ),
    Standstill(
        service="users",
        table="users",
        statement="DELETE FROM users",
        evidence="SELECT erase_time FROM company_erasures WHERE company_id = $1",
    ),
)
"""Where they erase, to report it in the end."""
NOTING = Standstill(
    service="companies",
    table="company_deletion_steps",
    statement="INSERT INTO company_deletion_steps",
    evidence="SELECT bool_and(done_time IS NOT NULL) FROM company_deletion_steps"
    " WHERE company_id = $1",
    durable="companies-erasures",
)
"""Where companies notes the last report."""
FINISHING = Standstill(
    service="companies",
    table="vehicles",
    statement="DELETE FROM vehicles",
    evidence="SELECT 1 FROM companies WHERE company_id = $1 AND state = 'deleted'",
)
"""Where companies erases what it has itself, and announces the end."""


@pytest.fixture
def leaving(system: System, services: RealServices, neighbour: Neighbour) -> Tenant:
    """A company that has something of everything and is suspended, which everybody knows."""
    tenant = new_tenant(services)
    # Sensors are counted of a company that telemetry knows.
    system.settle()
    clockless = SimulatedBoard(services, tenant.company_id, system.gateway_url, TimeSource.BOOT)
    clockless.record()
    clockless.deliver()
    tenant.ids.append(clockless.device_id)
    services.suspend(tenant.company_id)
    system.settle()
    return tenant


def test_a_deletion_begins_with_whoever_comes_after(
    system: System, services: RealServices, leaving: Tenant, neighbour: Neighbour
) -> None:
    """Companies dies between its commit and the event."""
    cut_around_publishing(system, "companies", lambda: delete(services, leaving.company_id))

    assert_deleted(system, services, leaving, neighbour)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("places", [HEARING, ERASING], ids=["hearing", "erasing"])
def test_a_deletion_goes_on_with_those_who_erase(
    system: System,
    services: RealServices,
    leaving: Tenant,
    neighbour: Neighbour,
    places: tuple[Standstill, ...],
    cut: Cut,
) -> None:
    """Auth, telemetry and users die hearing of it, or erasing, in the middle or when done."""
    cut(system, places, lambda: delete(services, leaving.company_id))

    assert_deleted(system, services, leaving, neighbour)


@pytest.mark.parametrize("cut", CUTS)
def test_a_deletion_goes_on_when_reports_come_in(
    system: System, services: RealServices, leaving: Tenant, neighbour: Neighbour, cut: Cut
) -> None:
    """Companies dies noting the last report, or when it has noted it."""
    with ExitStack() as holding:
        holding.enter_context(system.databases.held("users", "users"))
        delete(services, leaving.company_id)
        others = ["auth", "telemetry"]
        eventually(lambda: reported(services, leaving.company_id) == others, "two reports")

        def let_users_report() -> str:
            holding.close()
            return leaving.company_id

        cut(system, [NOTING], let_users_report)

    assert_deleted(system, services, leaving, neighbour)


@pytest.mark.parametrize("cut", CUTS)
def test_a_deletion_is_finished(
    system: System, services: RealServices, leaving: Tenant, neighbour: Neighbour, cut: Cut
) -> None:
    """Companies dies erasing what is its own, or between the end and the news of it."""
    cut(system, [FINISHING], lambda: delete(services, leaving.company_id))

    assert_deleted(system, services, leaving, neighbour)


def test_no_table_is_looked_through_in_vain(system: System, leaving: Tenant) -> None:
    """A company leaves something in every table, so that a new one is not forgotten here."""
    nothing = tables_without(system.databases, leaving) - IMPERSONAL - FLEETING - TOMBSTONES

    assert nothing == set(), "extend tests/sagas/tenants.py, or say in traces.py why not"
