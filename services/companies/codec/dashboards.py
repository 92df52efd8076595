"""Dashboards between protobuf and the domain."""

import dataclasses

from dashtrack.auth.internal.v1 import security_service_pb2
from dashtrack.companies.v1 import dashboard_service_pb2 as pb
from dashtrack.telemetry.internal.v1 import census_service_pb2

from services.chassis.fields import ROLE_NUMBERS, encode_time
from services.chassis.identity import Role
from services.companies.codec.vehicles import STATUS_NUMBERS, TYPE_NUMBERS
from services.companies.domain.dashboards import (
    Dashboard,
    DashboardType,
    DeviceFigures,
    FleetFigures,
    LoginFigures,
    PeopleFigures,
)
from services.companies.domain.vehicles import VehicleStatus, VehicleType

_COMPANY_ROLES = [role for role in Role if role is not Role.MASTER]


def encode_dashboard(dashboard: Dashboard) -> pb.Dashboard:
    """Write a dashboard with the content of its type."""
    answer = pb.Dashboard(
        type=dashboard.type.value,
        company_id=str(dashboard.company_id),
        as_of_time=encode_time(dashboard.as_of_time),
        unavailable_parts=[part.value for part in dashboard.unavailable_parts],
    )
    match dashboard.type:
        case DashboardType.OVERVIEW:
            answer.overview.CopyFrom(_overview(dashboard))
        case DashboardType.FLEET:
            answer.fleet.CopyFrom(_fleet(dashboard))
        case DashboardType.DRIVERS:
            answer.drivers.CopyFrom(_drivers(dashboard))
        case DashboardType.SECURITY:
            answer.security.CopyFrom(_security(dashboard))
    return answer


def decode_device_counts(answer: census_service_pb2.CountDevicesResponse) -> DeviceFigures:
    """Read how many devices a company has."""
    return DeviceFigures(
        registered=answer.registered,
        claimed=answer.claimed,
        disabled=answer.disabled,
        connected=answer.connected,
        active_last_day=answer.active_last_day,
        on_vehicles=answer.on_vehicles,
    )


def decode_login_figures(answer: security_service_pb2.SecurityFigures) -> LoginFigures:
    """Read how a company's people log in."""
    return LoginFigures(
        open_sessions=answer.open_sessions,
        active_people=answer.active_people,
        accounts=answer.accounts,
        second_factor_accounts=answer.second_factor_accounts,
        invited_accounts=answer.invited_accounts,
        sessions_opened_last_day=answer.sessions_opened_last_day,
        failed_logins_last_day=answer.failed_logins_last_day,
        failed_accounts_last_day=answer.failed_accounts_last_day,
    )


def _overview(dashboard: Dashboard) -> pb.OverviewDashboard:
    return pb.OverviewDashboard(
        vehicles=_vehicles(dashboard.fleet),
        people=_people(dashboard.people),
        devices=_devices(dashboard.devices),
        teams=dashboard.fleet.teams,
        quota_uses=[pb.QuotaUse(**dataclasses.asdict(use)) for use in dashboard.quota_uses],
    )


def _fleet(dashboard: Dashboard) -> pb.FleetDashboard:
    return pb.FleetDashboard(
        vehicles=_vehicles(dashboard.fleet),
        devices=_devices(dashboard.devices),
        teams=dashboard.fleet.teams,
        vehicles_without_team=dashboard.fleet.unretired_without_team,
    )


def _drivers(dashboard: Dashboard) -> pb.DriversDashboard:
    fleet = dashboard.fleet
    return pb.DriversDashboard(
        people=_people(dashboard.people),
        drivers_assigned=fleet.drivers_assigned,
        helpers_assigned=fleet.helpers_assigned,
        vehicles_without_driver=fleet.active_without_driver,
        team_members=fleet.team_members,
        assignments_started_last_day=fleet.assignments_started,
    )


def _security(dashboard: Dashboard) -> pb.SecurityDashboard:
    logins = dashboard.logins
    return pb.SecurityDashboard(
        logins=None if logins is None else pb.LoginFigures(**dataclasses.asdict(logins)),
        people=_people(dashboard.people),
    )


def _vehicles(fleet: FleetFigures) -> pb.VehicleFigures:
    return pb.VehicleFigures(
        total=fleet.vehicles,
        by_status=[
            pb.VehicleStatusCount(status=STATUS_NUMBERS[status], vehicles=count)
            for status in VehicleStatus
            if (count := fleet.vehicles_by_status.get(status, 0))
        ],
        by_type=[
            pb.VehicleTypeCount(type=TYPE_NUMBERS[kind], vehicles=count)
            for kind in VehicleType
            if (count := fleet.vehicles_by_type.get(kind, 0))
        ],
        without_driver=fleet.active_without_driver,
    )


def _people(people: PeopleFigures | None) -> pb.PeopleFigures | None:
    if people is None:
        return None
    counts = [
        pb.PeopleRoleCount(
            role=ROLE_NUMBERS[role],
            active=people.active.get(role, 0),
            deactivated=people.deactivated.get(role, 0),
        )
        for role in _COMPANY_ROLES
    ]
    return pb.PeopleFigures(
        total=people.total,
        deactivated=sum(people.deactivated.values()),
        by_role=[count for count in counts if count.active or count.deactivated],
    )


def _devices(devices: DeviceFigures | None) -> pb.DeviceFigures | None:
    if devices is None:
        return None
    return pb.DeviceFigures(
        total=devices.total, offline=devices.offline, **dataclasses.asdict(devices)
    )
