"""A company that is suspended stands still and is resumed, whoever dies on the way."""

import grpc
import pytest
from dashtrack.companies.v1 import company_service_pb2 as companies_pb

from tests.fixtures.refusals import refused
from tests.fixtures.shutting_out import RealServices, Token
from tests.fixtures.system import System
from tests.fixtures.waiting import eventually
from tests.sagas.access import (
    OPEN,
    answers,
    assert_login_refused,
    assert_refresh_refused,
    eventually_revoked,
)
from tests.sagas.boards import SimulatedBoard
from tests.sagas.faults import CUTS, Act, Cut, Standstill, cut_around_publishing
from tests.sagas.tenants import Tenant, log_in, new_tenant, upload

pytestmark = pytest.mark.timeout(180)

_COMPANIES = "/dashtrack.companies.v1.CompanyService/"
_STATE = "SELECT 1 FROM {} WHERE company_id = $1 AND state = '{}'"

SUSPENDED = (
    Standstill(
        service="auth",
        table="revocations",
        statement="INSERT INTO revocations",
        evidence=_STATE.format("companies", "suspended"),
        durable="auth-companies-changed",
    ),
    Standstill(
        service="telemetry",
        table="company",
        statement="INSERT INTO company ",
        evidence=_STATE.format("company", "suspended"),
        durable="telemetry-companies-changed",
    ),
)
RESUMED = (
    Standstill(
        service="auth",
        table="companies",
        statement="UPDATE companies",
        evidence=_STATE.format("companies", "active"),
        durable="auth-companies-changed",
    ),
    Standstill(
        service="telemetry",
        table="company",
        statement="INSERT INTO company ",
        evidence=_STATE.format("company", "active"),
        durable="telemetry-companies-changed",
    ),
)


def carry_out(system: System, cut: Cut | None, places: tuple[Standstill, ...], act: Act) -> None:
    """Have a change of a company cut off, and wait until all have taken it in."""
    if cut is None:
        cut_around_publishing(system, "companies", act)
    else:
        cut(system, places, act)
    system.settle()


def assert_standing_still(
    system: System, services: RealServices, tenant: Tenant, board: SimulatedBoard
) -> None:
    """Make sure that nobody of the company gets in, and that its board keeps what it has."""
    for session, email in zip(tenant.sessions, tenant.emails, strict=True):
        eventually_revoked(services, session)
        assert_login_refused(
            services, email, grpc.StatusCode.PERMISSION_DENIED, "COMPANY_SUSPENDED"
        )
        assert_refresh_refused(services, session)
    with refused(grpc.StatusCode.UNAVAILABLE, "COMPANY_SUSPENDED"):
        services.exchanged(tenant.board)
    board.record()
    board.step()
    assert board.kept_count == 1
    board.assert_sound()
    assert stored_count(system, board) == board.batch_count - 1


def stored_count(system: System, board: SimulatedBoard) -> int:
    """Count the batches that are stored of a board."""
    query = "SELECT count(*) FROM telemetry_batch WHERE device_id = $1"
    return int(system.databases.value("telemetry", query, board.device_id))


@pytest.mark.parametrize("cut", [None, *CUTS])
def test_a_suspended_company_stands_still_and_comes_back(
    system: System, services: RealServices, cut: Cut | None
) -> None:
    """Companies dies before each event, or auth and telemetry at each: nothing is lost."""
    tenant = new_tenant(services)
    board = SimulatedBoard(services, tenant.company_id, system.gateway_url)
    board.record()
    board.deliver()
    system.settle()

    def suspend() -> str:
        services.suspend(tenant.company_id)
        return tenant.company_id

    def resume() -> str:
        request = companies_pb.ResumeCompanyRequest(company_id=tenant.company_id)
        services.call(_COMPANIES + "ResumeCompany", request)
        return tenant.company_id

    carry_out(system, cut, SUSPENDED, suspend)
    assert_standing_still(system, services, tenant, board)

    carry_out(system, cut, RESUMED, resume)
    for email in tenant.emails:
        log_in(services, email)
    administrator = log_in(services, tenant.emails[0])
    assert answers(services, Token(administrator.access_token)) == OPEN
    upload(services, tenant)
    board.deliver()
    board.assert_sound()
    eventually(lambda: stored_count(system, board) == board.batch_count, "all batches")
    versions = [
        event.message.version
        for event in system.events.about(tenant.company_id)
        if event.subject == "events.companies.changed"
    ]
    assert versions == [1, 2, 3]
