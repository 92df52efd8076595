"""A deletion from beginning to end, and what must hold after it."""

from collections.abc import Sequence

import grpc
import pytest
from dashtrack.auth.v1 import api_key_service_pb2 as keys_pb
from dashtrack.companies.v1 import company_pb2
from dashtrack.companies.v1 import company_service_pb2 as companies_pb

from tests.fixtures.refusals import refusal_of
from tests.fixtures.shutting_out import RealServices
from tests.fixtures.system import System
from tests.fixtures.waiting import eventually
from tests.sagas.access import assert_login_refused, assert_refresh_refused, eventually_revoked
from tests.sagas.tenants import Tenant
from tests.sagas.traces import Contents, contents_of, traces_of

DELETED = company_pb2.Company.STATE_DELETED
ERASERS = ["auth", "telemetry", "users"]
_COMPANIES = "/dashtrack.companies.v1.CompanyService/"
_KEYS = "/dashtrack.auth.v1.ApiKeyService/"
_CHANGED = "events.companies.changed"


def delete(services: RealServices, company_id: str) -> str:
    """Begin the deletion of a suspended company."""
    request = companies_pb.DeleteCompanyRequest(company_id=company_id)
    services.call(_COMPANIES + "DeleteCompany", request)
    return company_id


def look_at(services: RealServices, company_id: str) -> company_pb2.Company:
    """Read a company as masters see it."""
    request = companies_pb.GetCompanyRequest(company_id=company_id)
    company: company_pb2.Company = services.call(_COMPANIES + "GetCompany", request)
    return company


def reported(services: RealServices, company_id: str) -> Sequence[str]:
    """Say which services are known to have erased a company."""
    steps = look_at(services, company_id).deletion.steps
    return [step.service for step in steps if step.HasField("done_time")]


def assert_deleted(
    system: System,
    services: RealServices,
    tenant: Tenant,
    neighbour: tuple[Tenant, Contents],
) -> None:
    """Make sure that a deletion has come to its end: nothing is left, and others have theirs."""

    def deleted() -> bool:
        return look_at(services, tenant.company_id).state == DELETED

    eventually(deleted, "the end of the deletion")
    system.settle()
    assert_complete(services, tenant)
    assert_announced_once(system, tenant)
    assert traces_of(system.databases, tenant) == {}
    assert_forgotten(services, tenant)
    other, contents = neighbour
    assert contents_of(system.databases, other) == contents


def assert_complete(services: RealServices, tenant: Tenant) -> None:
    """Make sure that masters see a finished deletion, and nothing of the company."""
    company = look_at(services, tenant.company_id)
    assert company.state == DELETED
    assert reported(services, tenant.company_id) == ERASERS
    assert company.deletion.HasField("complete_time")
    assert not company.display_name


def assert_announced_once(system: System, tenant: Tenant) -> None:
    """Make sure that each version of the company was announced once, the last as its end."""
    changes = [
        event.message
        for event in system.events.about(tenant.company_id)
        if event.subject == _CHANGED
    ]
    assert [change.version for change in changes] == list(range(1, len(changes) + 1))
    assert [change.state for change in changes].count(DELETED) == 1
    assert changes[-1].state == DELETED


def assert_forgotten(services: RealServices, tenant: Tenant) -> None:
    """Make sure that people, machines and boards of the company are strangers."""
    for session, email in zip(tenant.sessions, tenant.emails, strict=True):
        eventually_revoked(services, session)
        assert_login_refused(
            services, email, grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"
        )
        assert_refresh_refused(services, session)
    exchange = keys_pb.ExchangeApiKeyRequest(secret_key=tenant.api_key)
    with pytest.raises(grpc.RpcError) as raised:
        services.call(_KEYS + "ExchangeApiKey", exchange, "")
    assert refusal_of(raised.value).code is grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.RpcError) as raised:
        services.exchanged(tenant.board)
    assert refusal_of(raised.value).code is grpc.StatusCode.UNAUTHENTICATED
