"""Who may call what, and whose data they reach: every RPC of the protos, with every caller."""

import uuid
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from dashtrack.audit.v1 import audit_service_pb2 as audit
from dashtrack.auth.v1 import api_key_service_pb2 as api_keys
from dashtrack.companies.v1 import assignment_service_pb2 as assignments
from dashtrack.companies.v1 import company_service_pb2 as companies
from dashtrack.companies.v1 import dashboard_service_pb2 as dashboards
from dashtrack.companies.v1 import team_service_pb2 as teams
from dashtrack.companies.v1 import vehicle_service_pb2 as vehicles
from dashtrack.options.v1 import options_pb2
from dashtrack.telemetry.v1 import device_service_pb2 as devices
from dashtrack.telemetry.v1 import reading_service_pb2 as readings
from dashtrack.users.v1 import user_service_pb2 as users
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from grpc import StatusCode

from services.chassis.identity import Role
from tests.fixtures.reaches import (
    Reach,
    of_company,
    of_device,
    of_team,
    of_user,
    renamed_device,
    renamed_team,
    renamed_user,
    translated_company,
)
from tests.fixtures.rpcs import RPCS
from tests.fixtures.two_tenants import (
    ADD_TEAM_MEMBER,
    ASSIGN_PERSON,
    CREATE_TEAM,
    CREATE_USER,
    CREATE_VEHICLE,
    REGISTER_DEVICE,
    Tenant,
    TwoTenants,
    new_assignment,
    new_device,
    new_member,
    new_team,
    new_user,
    new_vehicle,
)

KEYS = {"reading key": "read", "writing key": "write"}
CALLERS = ["nobody", *Role, "device", "service", *KEYS]
MEMBERS = [role for role in Role if role is not Role.MASTER]

# Refusals that come from the access rules; any other answer means that the caller was let in.
ACCESS_REASONS = frozenset(
    {
        "API_KEY_REFUSED",
        "PERMISSION_DENIED",
        "SCOPE_MISSING",
        "TOKEN_AUDIENCE",
        "TOKEN_EXPIRED",
        "TOKEN_INVALID",
        "TOKEN_MISSING",
        "TOKEN_REVOKED",
        "UNAUTHENTICATED",
    }
)


def expected_refusal_of_key(method: MethodDescriptor, verb: str) -> tuple[StatusCode, str] | None:
    """Say how a company_admin's API key is refused that may read everything, or write it."""
    options = method.GetOptions()
    access = options.Extensions[options_pb2.access]
    if access.people_only or access.reach != options_pb2.REACH_COMPANY:
        return StatusCode.PERMISSION_DENIED, "API_KEY_REFUSED"
    if options_pb2.ROLE_COMPANY_ADMIN not in access.roles:
        return StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"
    reads = options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    return None if reads == (verb == "read") else (StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")


def expected_refusal(method: MethodDescriptor, caller: str) -> tuple[StatusCode, str] | None:
    """Say how a caller is refused according to the method's option: None if it is let in."""
    access = method.GetOptions().Extensions[options_pb2.access]
    if access.caller == options_pb2.CALLER_PUBLIC:
        return None
    if caller == "nobody":
        return StatusCode.UNAUTHENTICATED, "TOKEN_MISSING"
    kind = caller.upper() if caller in {"device", "service"} else "USER"
    if access.caller != options_pb2.Caller.Value(f"CALLER_{kind}"):
        return StatusCode.PERMISSION_DENIED, "TOKEN_AUDIENCE"
    if caller in KEYS:
        return expected_refusal_of_key(method, KEYS[caller])
    if kind == "USER" and options_pb2.Role.Value(f"ROLE_{caller.upper()}") not in access.roles:
        return StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"
    return None


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("path", RPCS)
def test_methods_let_in_whom_their_option_names(world: TwoTenants, path: str, caller: str) -> None:
    """The option in the proto, and nothing else, decides who gets past the door."""
    request = RPCS[path].new_request()
    expected = expected_refusal(RPCS[path].method, caller)

    outcome = world.outcome(path, request, caller)

    if expected is None:
        assert outcome.reason not in ACCESS_REASONS
        assert outcome.code not in {StatusCode.INTERNAL, StatusCode.UNKNOWN}
    else:
        assert (outcome.code, outcome.reason) == expected


@pytest.mark.parametrize(
    "path", [path for path, rpc in RPCS.items() if rpc.access.caller == options_pb2.CALLER_USER]
)
def test_restricted_tokens_open_what_is_open_to_them(world: TwoTenants, path: str) -> None:
    """Somebody who has to enrol a second factor first does that, logs out, and nothing else."""
    rpc = RPCS[path]
    company = uuid.UUID(world.own.company_id)
    for role in rpc.roles:
        token = world.mint.user(
            role, None if role is Role.MASTER else company, restriction="two_factor_enrollment"
        )
        outcome = world.outcome_with(path, rpc.new_request(), token)

        if options_pb2.RESTRICTION_TWO_FACTOR_ENROLLMENT in rpc.access.open_to:
            assert outcome.reason not in ACCESS_REASONS | {"TWO_FACTOR_ENROLLMENT_REQUIRED"}
        else:
            assert outcome.code is StatusCode.PERMISSION_DENIED
            assert outcome.reason == "TWO_FACTOR_ENROLLMENT_REQUIRED"


# What answers about something that is there: the device has sent nothing yet, the person was
# invited a moment ago, is in another team by now or in none, somebody is on the vehicle, the
# version is another one.
FOUND = frozenset(
    {
        "",
        "EDIT_CONFLICT",
        "INVITATION_THROTTLED",
        "MEMBERSHIP_NOT_FOUND",
        "PERSON_HAS_TEAM",
        "SENSOR_NOT_FOUND",
        "VEHICLE_ASSIGNED",
    }
)


REACHES: Mapping[str, Reach] = {
    CREATE_USER: Reach(new_user, "COMPANY_NOT_FOUND"),
    "/dashtrack.users.v1.UserService/GetUser": of_user(users.GetUserRequest),
    "/dashtrack.users.v1.UserService/ListUsers": of_company(users.ListUsersRequest),
    "/dashtrack.users.v1.UserService/UpdateUser": Reach(renamed_user, "USER_NOT_FOUND"),
    "/dashtrack.users.v1.UserService/DeactivateUser": of_user(users.DeactivateUserRequest),
    "/dashtrack.users.v1.UserService/ReactivateUser": of_user(users.ReactivateUserRequest),
    # Deletion comes before it is undone, and what is deleted is in reach all the same.
    "/dashtrack.users.v1.UserService/DeleteUser": of_user(users.DeleteUserRequest),
    "/dashtrack.users.v1.UserService/UndeleteUser": of_user(users.UndeleteUserRequest),
    "/dashtrack.users.v1.UserService/ResendInvitation": of_user(users.ResendInvitationRequest),
    "/dashtrack.companies.v1.CompanyService/GetCompany": of_company(companies.GetCompanyRequest),
    "/dashtrack.companies.v1.CompanyService/UpdateCompany": Reach(
        translated_company, "COMPANY_NOT_FOUND"
    ),
    CREATE_VEHICLE: Reach(new_vehicle, "COMPANY_NOT_FOUND"),
    "/dashtrack.companies.v1.VehicleService/GetVehicle": Reach(
        lambda tenant: vehicles.GetVehicleRequest(vehicle_id=tenant.vehicle_id),
        "VEHICLE_NOT_FOUND",
    ),
    "/dashtrack.companies.v1.VehicleService/ListVehicles": of_company(vehicles.ListVehiclesRequest),
    "/dashtrack.companies.v1.VehicleService/UpdateVehicle": Reach(
        lambda tenant: vehicles.UpdateVehicleRequest(
            vehicle=vehicles.Vehicle(vehicle_id=tenant.vehicle_id, odometer_m=7)
        ),
        "VEHICLE_NOT_FOUND",
    ),
    "/dashtrack.companies.v1.VehicleService/DeleteVehicle": Reach(
        lambda tenant: vehicles.DeleteVehicleRequest(vehicle_id=tenant.vehicle_id),
        "VEHICLE_NOT_FOUND",
    ),
    CREATE_TEAM: Reach(new_team, "COMPANY_NOT_FOUND"),
    "/dashtrack.companies.v1.TeamService/GetTeam": of_team(teams.GetTeamRequest),
    "/dashtrack.companies.v1.TeamService/ListTeams": of_company(teams.ListTeamsRequest),
    "/dashtrack.companies.v1.TeamService/UpdateTeam": Reach(renamed_team, "TEAM_NOT_FOUND"),
    ADD_TEAM_MEMBER: Reach(new_member, "TEAM_NOT_FOUND"),
    "/dashtrack.companies.v1.TeamService/ListTeamMemberships": of_team(
        teams.ListTeamMembershipsRequest
    ),
    "/dashtrack.companies.v1.TeamService/TransferTeamMember": Reach(
        lambda tenant: teams.TransferTeamMemberRequest(
            team_id=tenant.team_id, user_id=tenant.user_id, to_team_id=tenant.other_team_id
        ),
        "TEAM_NOT_FOUND",
    ),
    "/dashtrack.companies.v1.TeamService/RemoveTeamMember": of_team(
        teams.RemoveTeamMemberRequest, user_id=str(uuid.uuid4())
    ),
    # With another version's etag, so that the team stays for the tests that follow.
    "/dashtrack.companies.v1.TeamService/DeleteTeam": of_team(teams.DeleteTeamRequest, etag="none"),
    ASSIGN_PERSON: Reach(new_assignment, "VEHICLE_NOT_FOUND"),
    "/dashtrack.companies.v1.AssignmentService/ListAssignments": Reach(
        lambda tenant: assignments.ListAssignmentsRequest(vehicle_id=tenant.vehicle_id),
        "VEHICLE_NOT_FOUND",
    ),
    "/dashtrack.companies.v1.AssignmentService/EndAssignment": Reach(
        lambda tenant: assignments.EndAssignmentRequest(assignment_id=tenant.assignment_id),
        "ASSIGNMENT_NOT_FOUND",
    ),
    "/dashtrack.companies.v1.DashboardService/GetDashboard": of_company(
        dashboards.GetDashboardRequest, type="overview"
    ),
    "/dashtrack.audit.v1.AuditService/ListAuditRecords": of_company(audit.ListAuditRecordsRequest),
    "/dashtrack.audit.v1.AuditService/ExportAuditRecords": of_company(
        audit.ExportAuditRecordsRequest
    ),
    "/dashtrack.audit.v1.AuditService/ListAuditHeads": of_company(audit.ListAuditHeadsRequest),
    "/dashtrack.audit.v1.AuditService/VerifyAuditLog": of_company(audit.VerifyAuditLogRequest),
    "/dashtrack.auth.v1.ApiKeyService/ListApiKeys": of_company(api_keys.ListApiKeysRequest),
    REGISTER_DEVICE: Reach(new_device, "COMPANY_NOT_FOUND"),
    "/dashtrack.telemetry.v1.DeviceService/GetDevice": of_device(devices.GetDeviceRequest),
    "/dashtrack.telemetry.v1.DeviceService/ListDevices": of_company(devices.ListDevicesRequest),
    "/dashtrack.telemetry.v1.DeviceService/UpdateDevice": Reach(renamed_device, "DEVICE_NOT_FOUND"),
    "/dashtrack.telemetry.v1.DeviceService/ListDeviceAssignments": of_device(
        devices.ListDeviceAssignmentsRequest
    ),
    "/dashtrack.telemetry.v1.DeviceService/DisableDevice": of_device(devices.DisableDeviceRequest),
    "/dashtrack.telemetry.v1.DeviceService/EnableDevice": of_device(devices.EnableDeviceRequest),
    "/dashtrack.telemetry.v1.ReadingService/GetLatestReadings": of_device(
        readings.GetLatestReadingsRequest
    ),
    "/dashtrack.telemetry.v1.ReadingService/ListReadings": of_device(
        readings.ListReadingsRequest, sensor="speed"
    ),
    "/dashtrack.telemetry.v1.ReadingService/ListPositions": of_device(
        readings.ListPositionsRequest
    ),
    "/dashtrack.telemetry.v1.ReadingService/WatchReadings": of_company(
        readings.WatchReadingsRequest
    ),
}
# Nothing of another company can be named in their requests; what they list is tested below.
# Plans are the platform's, and its administrators may see them all.
NAMELESS = frozenset(
    {
        "/dashtrack.companies.v1.CompanyService/ListCompanies",
        "/dashtrack.companies.v1.PlanService/GetPlan",
        "/dashtrack.companies.v1.PlanService/ListPlans",
        "/dashtrack.auth.v1.IntrospectionService/IntrospectToken",
    }
)
# Keys are made by people who have logged in, which those here have not: tested with auth.
ELSEWHERE = frozenset(
    {
        "/dashtrack.auth.v1.ApiKeyService/CreateApiKey",
        "/dashtrack.auth.v1.ApiKeyService/RevokeApiKey",
    }
)


def reaching() -> list[Any]:
    """Find the methods by which members reach their company, with each role that may."""
    return [
        pytest.param(path, role, id=f"{path}-{role}")
        for path, rpc in RPCS.items()
        if rpc.access.reach == options_pb2.REACH_COMPANY and path not in NAMELESS | ELSEWHERE
        for role in MEMBERS
        if role in rpc.roles
    ]


@pytest.mark.parametrize(("path", "role"), reaching())
def test_members_reach_their_own_company_alone(world: TwoTenants, path: str, role: Role) -> None:
    """Own things answer; foreign things answer exactly as things that do not exist."""
    reach = REACHES[path]
    unknown = Tenant(*(str(uuid.uuid4()) for _ in fields(Tenant)))

    for tenant in (world.foreign, unknown):
        outcome = world.outcome(path, reach.request(tenant), role)
        assert (outcome.code, outcome.reason) == (StatusCode.NOT_FOUND, reach.reason)
    outcome = world.outcome(path, reach.request(world.own), role)
    assert outcome.reason in FOUND


@pytest.mark.parametrize("path", REACHES)
def test_masters_reach_every_company(world: TwoTenants, path: str) -> None:
    """A master is denied nothing that exists."""
    for tenant in (world.own, world.foreign):
        outcome = world.outcome(path, REACHES[path].request(tenant), Role.MASTER)
        assert outcome.reason in FOUND


LISTS = {
    "/dashtrack.users.v1.UserService/ListUsers": "users",
    "/dashtrack.companies.v1.CompanyService/ListCompanies": "companies",
    "/dashtrack.companies.v1.VehicleService/ListVehicles": "vehicles",
    "/dashtrack.companies.v1.TeamService/ListTeams": "teams",
    "/dashtrack.companies.v1.TeamService/ListTeamMemberships": "memberships",
    "/dashtrack.companies.v1.AssignmentService/ListAssignments": "assignments",
    "/dashtrack.telemetry.v1.DeviceService/ListDevices": "devices",
}


@pytest.mark.parametrize("path", LISTS)
def test_lists_hold_what_the_caller_reaches(world: TwoTenants, path: str) -> None:
    """Without a filter, members get their company's, and masters everybody's."""
    found = {
        role: {
            item.company_id
            for item in getattr(world.call(path, RPCS[path].new_request(), role), LISTS[path])
        }
        for role in (Role.MASTER, Role.COMPANY_ADMIN, Role.MANAGER)
    }

    own = world.own.company_id
    assert found[Role.MASTER] >= {own, world.foreign.company_id}
    assert found[Role.COMPANY_ADMIN] == found[Role.MANAGER] == {own}


# Names one of the caller's own sessions; that others' don't exist for it is tested with auth.
NAMES_OWN_THINGS = frozenset({"/dashtrack.auth.v1.AuthService/RevokeSession"})


@pytest.mark.parametrize(
    "path",
    [
        path
        for path, rpc in RPCS.items()
        if (
            rpc.access.reach == options_pb2.REACH_SELF
            or rpc.access.caller == options_pb2.CALLER_DEVICE
        )
        and path not in NAMES_OWN_THINGS
    ],
)
def test_whoever_reaches_only_themselves_names_nobody(path: str) -> None:
    """A request about the caller has no field for anybody else."""
    named = {field.name for field in RPCS[path].method.input_type.fields}

    assert not named & {"company_id", "user_id", "vehicle_id", "device_id", "session_id"}


def test_no_method_is_forgotten() -> None:
    """Every method that reaches a company says here how its reach is tested."""
    by_members = {
        path
        for path, rpc in RPCS.items()
        if rpc.access.reach == options_pb2.REACH_COMPANY and rpc.roles != {Role.MASTER}
    }

    assert by_members == REACHES.keys() | NAMELESS | ELSEWHERE
