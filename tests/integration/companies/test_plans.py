"""Plans as masters and administrators see them, and what they allow."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from dashtrack.companies.v1 import company_pb2
from dashtrack.companies.v1 import company_service_pb2 as companies
from dashtrack.companies.v1 import plan_service_pb2 as pb
from dashtrack.companies.v1 import vehicle_service_pb2 as vehicles
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from services.chassis.identity import Role
from tests.fixtures.refusals import refusal_of, refused
from tests.fixtures.waiting import eventually


def new_plan(request_id: str = "", **quotas: int) -> pb.CreatePlanRequest:
    """Ask for a plan with an id of its own."""
    plan = pb.Plan(plan_id=f"p{uuid.uuid4().hex[:20]}", quotas=company_pb2.Quotas(**quotas))
    return pb.CreatePlanRequest(plan=plan, request_id=request_id)


def put_on_plan(fleet: Any, plan_id: str) -> Any:
    """Move the company to a plan."""
    company = company_pb2.Company(company_id=str(fleet.company_id), plan_id=plan_id)
    return fleet.call(Role.MASTER, "UpdateCompany", companies.UpdateCompanyRequest(company=company))


def add_vehicle(fleet: Any, plate: str, request_id: str = "", **token: Any) -> Any:
    """Add a vehicle to the company."""
    vehicle = vehicles.Vehicle(plate=plate)
    request = vehicles.CreateVehicleRequest(vehicle=vehicle, request_id=request_id)
    return fleet.call(Role.MANAGER, "CreateVehicle", request, **token)


def test_plans_come_back_as_they_were_added(fleet: Any) -> None:
    """What a creation answers is what is read afterwards, by administrators too."""
    made = fleet.call(Role.MASTER, "CreatePlan", new_plan(vehicles_max=3))

    get = pb.GetPlanRequest(plan_id=made.plan_id)
    assert fleet.call(Role.COMPANY_ADMIN, "GetPlan", get) == made
    assert made.display_name == made.plan_id
    assert made.quotas == company_pb2.Quotas(vehicles_max=3)
    with refused(StatusCode.NOT_FOUND, "PLAN_NOT_FOUND") as refusal:
        fleet.call(Role.MASTER, "GetPlan", pb.GetPlanRequest(plan_id="nowhere"))
    assert refusal.metadata == {"plan_id": "nowhere"}


def test_plan_ids_and_request_ids_are_not_reused(fleet: Any) -> None:
    """A retry answers the same plan; an id in other use is refused."""
    request, caller_id = new_plan(str(uuid.uuid4())), uuid.uuid4()
    made = fleet.call(Role.MASTER, "CreatePlan", request, user_id=caller_id)

    assert fleet.call(Role.MASTER, "CreatePlan", request, user_id=caller_id) == made
    with refused(StatusCode.ALREADY_EXISTS, "PLAN_ID_TAKEN") as refusal:
        fleet.call(Role.MASTER, "CreatePlan", pb.CreatePlanRequest(plan=request.plan))
    assert refusal.metadata == {"plan_id": made.plan_id}
    request.plan.quotas.users_max = 9
    with refused(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        fleet.call(Role.MASTER, "CreatePlan", request, user_id=caller_id)


@pytest.mark.parametrize("plan_id", ["", "Gold", "1st", "a" * 33])
def test_bad_plan_ids_are_refused(fleet: Any, plan_id: str) -> None:
    """An id is what a path can hold."""
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"):
        request = pb.CreatePlanRequest(plan=pb.Plan(plan_id=plan_id))
        fleet.call(Role.MASTER, "CreatePlan", request)


def test_plans_are_listed_page_by_page(fleet: Any) -> None:
    """Pages lead through all plans, the first ones among them; retired ones are asked for."""
    retired = new_plan()
    retired.plan.retired = True
    fleet.call(Role.MASTER, "CreatePlan", retired)

    def listed(*, show_retired: bool) -> list[str]:
        request = pb.ListPlansRequest(page_size=2, show_retired=show_retired)
        found: list[str] = []
        while True:
            page = fleet.call(Role.COMPANY_ADMIN, "ListPlans", request)
            found += [plan.plan_id for plan in page.plans]
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return found

    assert {"starter", "standard", "unlimited"} <= set(listed(show_retired=False))
    assert retired.plan.plan_id not in listed(show_retired=False)
    assert retired.plan.plan_id in listed(show_retired=True)
    assert listed(show_retired=True) == sorted(set(listed(show_retired=True)))


def test_new_quotas_reach_the_companies_on_the_plan(fleet: Any) -> None:
    """A change of a plan's quotas is a new version of each company on it, and nobody waits long."""
    plan = fleet.call(Role.MASTER, "CreatePlan", new_plan(vehicles_max=3))
    before = put_on_plan(fleet, plan.plan_id)
    assert before.quotas.vehicles_max == 3

    plan.quotas.vehicles_max = 0
    mask = FieldMask(paths=["quotas.vehicles_max"])
    fleet.call(Role.MASTER, "UpdatePlan", pb.UpdatePlanRequest(plan=plan, update_mask=mask))

    def followed() -> Any:
        request = companies.GetCompanyRequest(company_id=str(fleet.company_id))
        company = fleet.call(Role.MANAGER, "GetCompany", request)
        return company if company.etag != before.etag else None

    after = eventually(followed, "the company to follow its plan")
    assert after.quotas.vehicles_max == 0
    with refused(StatusCode.ABORTED, "EDIT_CONFLICT"):
        fleet.call(Role.MASTER, "UpdatePlan", pb.UpdatePlanRequest(plan=plan, update_mask=mask))


def test_masks_of_plans_name_what_can_change(fleet: Any) -> None:
    """A path that doesn't exist or can't be changed is refused by name."""
    request = pb.UpdatePlanRequest(
        plan=pb.Plan(plan_id="starter"), update_mask=FieldMask(paths=["quotas.horses_max"])
    )

    with refused(StatusCode.INVALID_ARGUMENT, "UPDATE_MASK_INVALID") as refusal:
        fleet.call(Role.MASTER, "UpdatePlan", request)

    assert refusal.metadata == {"path": "quotas.horses_max"}
    request.update_mask.paths[:] = ["retired"]
    request.plan.plan_id, request.plan.retired = "standard", True
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT") as refusal:
        fleet.call(Role.MASTER, "UpdatePlan", request)
    assert refusal.fields == {"plan.retired"}


def test_vehicles_stop_at_the_quota(fleet: Any) -> None:
    """The vehicle beyond the quota is refused with the numbers; a retry of one inside is not."""
    plan = fleet.call(Role.MASTER, "CreatePlan", new_plan(vehicles_max=2))
    put_on_plan(fleet, plan.plan_id)
    request_id, caller_id = str(uuid.uuid4()), uuid.uuid4()
    add_vehicle(fleet, "AA-1")
    second = add_vehicle(fleet, "AA-2", request_id, user_id=caller_id)

    with refused(StatusCode.FAILED_PRECONDITION, "QUOTA_EXCEEDED") as refusal:
        add_vehicle(fleet, "AA-3")

    assert refusal.metadata == {"quota": "vehicles", "limit": "2", "used": "2"}
    assert add_vehicle(fleet, "AA-2", request_id, user_id=caller_id) == second
    put_on_plan(fleet, "unlimited")
    add_vehicle(fleet, "AA-3")
    put_on_plan(fleet, "starter")
    listed = fleet.call(Role.MANAGER, "ListVehicles", vehicles.ListVehiclesRequest())
    assert len(listed.vehicles) == 3


def test_creations_at_once_keep_to_the_quota(fleet: Any) -> None:
    """However many come at the same moment, as many get in as the plan allows."""
    plan = fleet.call(Role.MASTER, "CreatePlan", new_plan(vehicles_max=3))
    put_on_plan(fleet, plan.plan_id)

    def attempt(number: int) -> str:
        try:
            add_vehicle(fleet, f"AA-{number}")
        except grpc.RpcError as err:
            return refusal_of(err).reason
        return ""

    with ThreadPoolExecutor(8) as executor:
        outcomes = list(executor.map(attempt, range(8)))

    assert sorted(outcomes) == [""] * 3 + ["QUOTA_EXCEEDED"] * 5


def test_a_retired_plan_is_for_those_who_have_it(fleet: Any) -> None:
    """No company gets it by update or by creation."""
    request = new_plan()
    request.plan.retired = True
    plan = fleet.call(Role.MASTER, "CreatePlan", request)

    with refused(StatusCode.FAILED_PRECONDITION, "PLAN_RETIRED") as refusal:
        put_on_plan(fleet, plan.plan_id)
    assert refusal.metadata == {"plan_id": plan.plan_id}
    company = company_pb2.Company(display_name=uuid.uuid4().hex, plan_id=plan.plan_id)
    with refused(StatusCode.FAILED_PRECONDITION, "PLAN_RETIRED"):
        fleet.call(Role.MASTER, "CreateCompany", companies.CreateCompanyRequest(company=company))
    with refused(StatusCode.NOT_FOUND, "PLAN_NOT_FOUND"):
        put_on_plan(fleet, "nowhere")
