"""Companies are suspended, resumed, given demands, found and begun to be deleted, over gRPC."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import nats
import pytest
from dashtrack.companies.internal.v1 import directory_service_pb2 as directory
from dashtrack.companies.v1 import company_pb2
from dashtrack.companies.v1 import company_service_pb2 as pb
from dashtrack.companies.v1 import vehicle_service_pb2 as vehicles
from dashtrack.companies.v1.company_events_pb2 import CompanyChanged
from dashtrack.options.v1 import options_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from services.chassis.identity import Role
from tests.fixtures.nats import NatsServer
from tests.fixtures.refusals import refused

SUBJECT = "events.companies.changed"
State = company_pb2.Company
_PATIENCE_S = 20.0


def suspend(fleet: Any, reason: str = "") -> Any:
    """Suspend the company."""
    company_id = str(fleet.company_id)
    request = pb.SuspendCompanyRequest(company_id=company_id, reason=reason)
    return fleet.call(Role.MASTER, "SuspendCompany", request)


def resume(fleet: Any) -> Any:
    """Resume the company."""
    request = pb.ResumeCompanyRequest(company_id=str(fleet.company_id))
    return fleet.call(Role.MASTER, "ResumeCompany", request)


def delete(fleet: Any) -> Any:
    """Begin to delete the company."""
    request = pb.DeleteCompanyRequest(company_id=str(fleet.company_id))
    return fleet.call(Role.MASTER, "DeleteCompany", request)


def update(fleet: Any, role: Role, *paths: str, **values: Any) -> Any:
    """Update the company."""
    company = company_pb2.Company(company_id=str(fleet.company_id), **values)
    mask = FieldMask(paths=paths) if paths else None
    request = pb.UpdateCompanyRequest(company=company, update_mask=mask)
    return fleet.call(role, "UpdateCompany", request)


def standing(fleet: Any) -> Any:
    """Ask for the company as another service does."""
    request = directory.GetCompanyStandingRequest(company_id=str(fleet.company_id))
    return fleet.ask("GetCompanyStanding", request)


def test_suspension_and_back(fleet: Any) -> None:
    """Everybody sees the state; repeating changes nothing."""
    suspended = suspend(fleet, "Invoices are overdue.")

    assert suspended.state == State.STATE_SUSPENDED
    assert suspended.suspension.reason == "Invoices are overdue."
    assert suspended.suspension.suspend_time == suspended.update_time
    assert suspend(fleet, "Another") == suspended
    assert standing(fleet).state == State.STATE_SUSPENDED
    resumed = resume(fleet)
    assert (resumed.state, resumed.HasField("suspension")) == (State.STATE_ACTIVE, False)
    assert resume(fleet) == resumed
    assert standing(fleet).state == State.STATE_ACTIVE
    assert standing(fleet).quotas == resumed.quotas


def test_administrators_demand_but_do_not_choose_the_plan(fleet: Any) -> None:
    """Their update reaches into the settings by path; a plan in it is refused."""
    security = company_pb2.SecuritySettings(
        sessions_per_user_max=2, two_factor_roles=[options_pb2.ROLE_COMPANY_ADMIN]
    )
    alerts = company_pb2.AlertDefaults(offline_after_s=600, emails=["fleet@example.com"])

    update(fleet, Role.COMPANY_ADMIN, security=security, alert_defaults=alerts)
    after = update(
        fleet,
        Role.COMPANY_ADMIN,
        "security.sessions_per_user_max",
        "alert_defaults",
        alert_defaults=company_pb2.AlertDefaults(remind_after_s=5),
    )

    assert after.security == company_pb2.SecuritySettings(
        two_factor_roles=[options_pb2.ROLE_COMPANY_ADMIN]
    )
    assert after.alert_defaults == company_pb2.AlertDefaults(remind_after_s=5)
    with refused(StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"):
        update(fleet, Role.COMPANY_ADMIN, "plan_id", plan_id="unlimited")
    with refused(StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"):
        update(fleet, Role.COMPANY_ADMIN, plan_id="unlimited")
    assert update(fleet, Role.MASTER, "plan_id", plan_id="unlimited").plan_id == "unlimited"
    assert update(fleet, Role.MASTER, "plan_id").plan_id == "standard"


@pytest.mark.parametrize(
    "values",
    [
        {"security": company_pb2.SecuritySettings(two_factor_roles=[options_pb2.ROLE_MASTER])},
        {"security": company_pb2.SecuritySettings(sessions_per_user_max=-1)},
        {"alert_defaults": company_pb2.AlertDefaults(emails=["nobody"])},
        {"alert_defaults": company_pb2.AlertDefaults(emails=["a@b.pt", "a@b.pt"])},
        {"plan_id": "No Plan"},
    ],
)
def test_bad_settings_are_refused(fleet: Any, values: Any) -> None:
    """A setting that breaks a rule of the contract changes nothing."""
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"):
        update(fleet, Role.MASTER, **values)


def test_only_the_suspended_are_deleted_and_nothing_changes_then(fleet: Any) -> None:
    """A deletion shows its steps; from then on every change is refused, reads are not."""
    with refused(StatusCode.FAILED_PRECONDITION, "COMPANY_NOT_SUSPENDED") as refusal:
        delete(fleet)
    assert refusal.metadata == {"company_id": str(fleet.company_id)}
    suspend(fleet)

    deleting = delete(fleet)

    assert deleting.state == State.STATE_DELETING
    assert deleting.deletion.request_time == deleting.update_time
    assert [step.service for step in deleting.deletion.steps] == ["auth", "telemetry", "users"]
    assert not deleting.deletion.HasField("complete_time")
    assert delete(fleet).deletion == deleting.deletion
    assert standing(fleet).state == State.STATE_DELETING
    new_vehicle = vehicles.CreateVehicleRequest(
        vehicle=vehicles.Vehicle(company_id=str(fleet.company_id), plate="AA-1")
    )
    attempts: list[Callable[[], Any]] = [
        lambda: suspend(fleet),
        lambda: resume(fleet),
        lambda: update(fleet, Role.MASTER, display_name="Other"),
        lambda: fleet.call(Role.MASTER, "CreateVehicle", new_vehicle),
    ]
    for attempt in attempts:
        with refused(StatusCode.FAILED_PRECONDITION, "COMPANY_DELETING") as refusal:
            attempt()
        assert refusal.metadata == {"company_id": str(fleet.company_id)}


def test_companies_are_searched_filtered_and_ordered(fleet: Any) -> None:
    """Words, state and plan restrict; the order holds over pages."""
    mark = uuid.uuid4().hex[:12]
    made = {}
    for name in ("Água", "zebra", "Ácido"):
        company = company_pb2.Company(display_name=f"{name} {mark}")
        request = pb.CreateCompanyRequest(company=company)
        made[name] = fleet.call(Role.MASTER, "CreateCompany", request).company_id

    def listed(**asked: Any) -> list[str]:
        request = pb.ListCompaniesRequest(query=mark.upper(), page_size=1, **asked)
        found: list[str] = []
        while True:
            page = fleet.call(Role.MASTER, "ListCompanies", request)
            found += [company.company_id for company in page.companies]
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return found

    assert listed() == [made["Água"], made["zebra"], made["Ácido"]]
    assert listed(order_by="display_name desc") == [made["zebra"], made["Água"], made["Ácido"]]
    assert listed(plan_id="starter") == []
    fleet.call(Role.MASTER, "SuspendCompany", pb.SuspendCompanyRequest(company_id=made["zebra"]))
    assert listed(state=State.STATE_SUSPENDED) == [made["zebra"]]
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"):
        listed(order_by="state")


async def test_changes_are_published_in_order(fleet: Any, nats_server: NatsServer) -> None:
    """Each change arrives once, as the version after the one before."""
    client = await nats.connect(
        nats_server.url, user=nats_server.user, password=nats_server.password
    )
    company_id = str(fleet.company_id)
    try:
        stream = await client.jetstream().subscribe(SUBJECT, ordered_consumer=True)
        for change in (suspend, suspend, resume, suspend, delete):
            await asyncio.to_thread(change, fleet)
        events: list[CompanyChanged] = []
        while not events or events[-1].state != State.STATE_DELETING:
            message = await stream.next_msg(timeout=_PATIENCE_S)
            event = CompanyChanged.FromString(message.data)
            if event.company_id == company_id:
                assert (message.headers or {})["Nats-Msg-Id"] == event.event_id
                events.append(event)
    finally:
        await client.close()

    assert [(event.version, event.state) for event in events] == [
        (1, State.STATE_ACTIVE),
        (2, State.STATE_SUSPENDED),
        (3, State.STATE_ACTIVE),
        (4, State.STATE_SUSPENDED),
        (5, State.STATE_DELETING),
    ]
    assert {event.quotas.vehicles_max for event in events} == {250}
