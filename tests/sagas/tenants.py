"""A company with something in every table that companies leave traces in."""

import base64
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from dashtrack.auth.v1 import api_key_service_pb2 as keys_pb
from dashtrack.auth.v1 import auth_service_pb2 as auth_pb
from dashtrack.auth.v1 import authenticator_pb2 as factors_pb
from dashtrack.auth.v1 import email_service_pb2 as email_pb
from dashtrack.companies.v1 import assignment_service_pb2 as assignments_pb
from dashtrack.companies.v1 import company_pb2
from dashtrack.companies.v1 import company_service_pb2 as companies_pb
from dashtrack.companies.v1 import team_service_pb2 as teams_pb
from dashtrack.companies.v1 import vehicle_service_pb2 as vehicles_pb
from dashtrack.device.v1 import reading_batch_pb2 as batches_pb
from dashtrack.options.v1 import options_pb2
from dashtrack.telemetry.v1 import device_service_pb2 as devices_pb
from dashtrack.users.v1 import user_service_pb2 as users_pb

from tests.fixtures.shutting_out import PASSWORD, RealServices

_USERS = "/dashtrack.users.v1.UserService/"
_AUTH = "/dashtrack.auth.v1.AuthService/"
_EMAIL = "/dashtrack.auth.v1.EmailService/"
_KEYS = "/dashtrack.auth.v1.ApiKeyService/"
_COMPANIES = "/dashtrack.companies.v1.CompanyService/"
_TEAMS = "/dashtrack.companies.v1.TeamService/"
_ASSIGNMENTS = "/dashtrack.companies.v1.AssignmentService/"
_VEHICLES = "/dashtrack.companies.v1.VehicleService/"
_DEVICES = "/dashtrack.telemetry.v1.DeviceService/"
_LINK = "/dashtrack.device.v1.DeviceLinkService/"

_ROLES = (
    options_pb2.ROLE_COMPANY_ADMIN,
    options_pb2.ROLE_MANAGER,
    options_pb2.ROLE_DRIVER,
    options_pb2.ROLE_HELPER,
)
DRIVER = 2
"""Which of the people drives a vehicle."""


def unique(kind: str) -> str:
    """Make a text that stands nowhere else."""
    return f"{kind}-{secrets.token_hex(6)}"


@dataclass
class Tenant:
    """A company, and every text that betrays what it had."""

    company_id: str
    ids: list[str] = field(default_factory=list)
    """Of people, sessions, keys, vehicles, teams, assignments and boards."""
    texts: list[str] = field(default_factory=list)
    """Names, addresses, plates."""
    sessions: list[auth_pb.Session] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    """Of the people of the sessions."""
    user_ids: list[str] = field(default_factory=list)
    vehicle_ids: list[str] = field(default_factory=list)
    board: tuple[str, str] = ("", "")
    api_key: str = ""


def add_company(services: RealServices, name: str) -> str:
    """Add a company."""
    request = companies_pb.CreateCompanyRequest(company=company_pb2.Company(display_name=name))
    return str(services.call(_COMPANIES + "CreateCompany", request).company_id)


def add_person(
    services: RealServices, company_id: str, email: str, role: Any, name: str = "Ada"
) -> str:
    """Add a person, who is invited thereby."""
    user = users_pb.User(company_id=company_id, email=email, display_name=name, role=role)
    request = users_pb.CreateUserRequest(user=user)
    return str(services.call(_USERS + "CreateUser", request).user_id)


def accept(services: RealServices, email: str) -> auth_pb.Session:
    """Accept an invitation with the code in the mail."""
    code = services.mailbox.code_for(email)
    request = auth_pb.AcceptInvitationRequest(invitation_code=code, password=PASSWORD)
    session: auth_pb.Session = services.call(_AUTH + "AcceptInvitation", request, "")
    return session


def log_in(services: RealServices, email: str) -> auth_pb.Session:
    """Open a session."""
    request = auth_pb.LoginRequest(email=email, password=PASSWORD)
    session: auth_pb.Session = services.call(_AUTH + "Login", request, "")
    return session


def reading_batch(seq: int = 0) -> batches_pb.ReadingBatch:
    """Make a batch of three readings."""
    return batches_pb.ReadingBatch(
        boot_id=uuid.uuid4().int >> 64,
        seq=seq,
        start_unix_ms=int((time.time() - 60) * 1000),
        sample_count=3,
        step_ms=1000,
        sensors=[batches_pb.SensorColumn(key="speed_kmh", values=[50.0, 51.5, 53.0])],
    )


def new_tenant(services: RealServices) -> Tenant:
    """Have a company with people, keys, vehicles, boards and readings."""
    name = unique("company")
    tenant = Tenant(add_company(services, name), texts=[name])
    _add_people(services, tenant)
    _add_fleet(services, tenant)
    return tenant


def _add_people(services: RealServices, tenant: Tenant) -> None:
    names = [unique("person") for _ in _ROLES]
    emails = [f"{name}@example.com" for name in names]
    for name, email, role in zip(names, emails, _ROLES, strict=True):
        tenant.user_ids.append(add_person(services, tenant.company_id, email, role, name))
    tenant.texts += names  # which their addresses contain
    # The last one never answers.
    tenant.emails = emails[:-1]
    tenant.ids += tenant.user_ids
    tenant.sessions = [accept(services, email) for email in tenant.emails]
    tenant.ids += [_session_id(session) for session in tenant.sessions]
    forgotten = auth_pb.RequestPasswordResetRequest(email=emails[1])
    services.call(_AUTH + "RequestPasswordReset", forgotten, "")
    administrator = tenant.sessions[0].access_token
    change = email_pb.RequestEmailChangeRequest(
        new_email=f"{unique('later')}@example.com", current_password=PASSWORD
    )
    services.call(_EMAIL + "RequestEmailChange", change, administrator)
    tenant.texts.append(change.new_email)
    enrol = factors_pb.EnrollTotpRequest(current_password=PASSWORD)
    services.call(_AUTH + "EnrollTotp", enrol, administrator)
    key = keys_pb.ApiKey(
        display_name=unique("key"), role=options_pb2.ROLE_MANAGER, scopes=["companies:read"]
    )
    made = services.call(
        _KEYS + "CreateApiKey",
        keys_pb.CreateApiKeyRequest(api_key=key, current_password=PASSWORD),
        administrator,
    )
    tenant.texts.append(key.display_name)
    tenant.ids.append(made.api_key.key_id)
    tenant.api_key = made.secret_key


def _session_id(session: auth_pb.Session) -> str:
    claims = session.access_token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["sid"])


def _add_fleet(services: RealServices, tenant: Tenant) -> None:
    for _ in range(2):
        vehicle = vehicles_pb.Vehicle(
            company_id=tenant.company_id,
            plate=unique("P").upper(),
            display_name=unique("vehicle"),
        )
        request = vehicles_pb.CreateVehicleRequest(vehicle=vehicle)
        tenant.vehicle_ids.append(services.call(_VEHICLES + "CreateVehicle", request).vehicle_id)
        tenant.texts += [vehicle.plate, vehicle.display_name]
    tenant.ids += tenant.vehicle_ids
    sold = vehicles_pb.DeleteVehicleRequest(vehicle_id=tenant.vehicle_ids[-1])
    services.call(_VEHICLES + "DeleteVehicle", sold)
    _add_team(services, tenant)
    tenant.board = services.board(tenant.company_id)
    moved = devices_pb.Device(device_id=tenant.board[0], vehicle_id=tenant.vehicle_ids[0])
    services.call(_DEVICES + "UpdateDevice", devices_pb.UpdateDeviceRequest(device=moved))
    waiting = devices_pb.Device(company_id=tenant.company_id, hardware_id=unique("board"))
    registered = services.call(
        _DEVICES + "RegisterDevice", devices_pb.RegisterDeviceRequest(device=waiting)
    )
    tenant.texts.append(waiting.hardware_id)
    tenant.ids += [tenant.board[0], registered.device.device_id]
    upload(services, tenant)


def _add_team(services: RealServices, tenant: Tenant) -> None:
    team = teams_pb.Team(company_id=tenant.company_id, display_name=unique("team"))
    made = services.call(_TEAMS + "CreateTeam", teams_pb.CreateTeamRequest(team=team))
    driver_id = tenant.user_ids[DRIVER]
    member = teams_pb.AddTeamMemberRequest(team_id=made.team_id, user_id=driver_id)
    membership = services.call(_TEAMS + "AddTeamMember", member)
    assign = assignments_pb.AssignPersonRequest(vehicle_id=tenant.vehicle_ids[0], user_id=driver_id)
    assignment = services.call(_ASSIGNMENTS + "AssignPerson", assign)
    tenant.texts.append(team.display_name)
    tenant.ids += [made.team_id, membership.membership_id, assignment.assignment_id]


def upload(services: RealServices, tenant: Tenant) -> None:
    """Upload a batch as the company's board does."""
    token = services.exchanged(tenant.board).text
    services.call(_LINK + "UploadBatch", reading_batch(), token)
