"""The composition root: the only place that constructs the service's adapters."""

from datetime import UTC, datetime, timedelta

import grpc.aio
from dashtrack.companies.internal.v1.directory_service_pb2_grpc import (
    add_DirectoryServiceServicer_to_server,
)
from dashtrack.companies.v1.assignment_service_pb2_grpc import (
    add_AssignmentServiceServicer_to_server,
)
from dashtrack.companies.v1.company_service_pb2_grpc import add_CompanyServiceServicer_to_server
from dashtrack.companies.v1.dashboard_service_pb2_grpc import add_DashboardServiceServicer_to_server
from dashtrack.companies.v1.plan_service_pb2_grpc import add_PlanServiceServicer_to_server
from dashtrack.companies.v1.team_service_pb2_grpc import add_TeamServiceServicer_to_server
from dashtrack.companies.v1.vehicle_service_pb2_grpc import add_VehicleServiceServicer_to_server

from services.chassis.ids import new_id
from services.chassis.outbox import OutboxRelay, inbox_pruner
from services.chassis.service import App, Runtime
from services.companies import clients
from services.companies.consumers import erasure_consumer, people_consumer
from services.companies.grpc_api import assignments as assignments_api
from services.companies.grpc_api import companies as companies_api
from services.companies.grpc_api import dashboards as dashboards_api
from services.companies.grpc_api import directory as directory_api
from services.companies.grpc_api import plans as plans_api
from services.companies.grpc_api import teams as teams_api
from services.companies.grpc_api import vehicles as vehicles_api
from services.companies.metrics import CompanyGauge, DashboardViewCounter
from services.companies.settings import CompaniesSettings
from services.companies.storage.store import PostgresTransactions
from services.companies.usecases.assignments import AssignmentUseCases
from services.companies.usecases.companies import CompanyUseCases
from services.companies.usecases.dashboards import Censuses, DashboardUseCases
from services.companies.usecases.deletions import AdvanceDeletions, NoteErased
from services.companies.usecases.memberships import MembershipUseCases
from services.companies.usecases.people import ApplyPersonChange
from services.companies.usecases.plans import PlanUseCases, RollOutPlans
from services.companies.usecases.teams import TeamUseCases
from services.companies.usecases.vehicles import VehicleUseCases
from services.companies.workers import deletion_chore, rollout_chore

_BOOKKEEPING_TABLES = frozenset({"people"})
"""Writing to these is no act: what is known of people follows from what they did."""
_SERVICE_NAMES = [
    companies_api.SERVICE_NAME,
    vehicles_api.SERVICE_NAME,
    teams_api.SERVICE_NAME,
    assignments_api.SERVICE_NAME,
    dashboards_api.SERVICE_NAME,
    plans_api.SERVICE_NAME,
    directory_api.SERVICE_NAME,
]


async def build(runtime: Runtime[CompaniesSettings]) -> App:
    """Build the service on its run-time."""
    transactions = PostgresTransactions(runtime.database)
    reminder_s = runtime.settings.erasure_reminder_s
    advance = AdvanceDeletions(transactions, _now, timedelta(seconds=reminder_s))
    deletions = deletion_chore(advance, reminder_s)
    rollout = rollout_chore(RollOutPlans(transactions, _now))
    companies = CompanyUseCases(transactions, _now, new_id)
    plans = PlanUseCases(transactions, _now, rollout.wake)
    vehicles = VehicleUseCases(transactions, _now, new_id)
    team_servicer, assignment_servicer = _build_people(runtime, transactions)
    dashboard_servicer = _build_dashboards(runtime, transactions)

    def register(server: grpc.aio.Server) -> None:
        add_CompanyServiceServicer_to_server(companies_api.CompanyServicer(companies), server)
        add_VehicleServiceServicer_to_server(vehicles_api.VehicleServicer(vehicles), server)
        add_TeamServiceServicer_to_server(team_servicer, server)
        add_AssignmentServiceServicer_to_server(assignment_servicer, server)
        add_DashboardServiceServicer_to_server(dashboard_servicer, server)
        add_PlanServiceServicer_to_server(plans_api.PlanServicer(plans), server)
        directory = directory_api.DirectoryServicer(companies, vehicles)
        add_DirectoryServiceServicer_to_server(directory, server)

    note_erased = NoteErased(transactions, _now)
    return App(
        service_names=_SERVICE_NAMES,
        register=register,
        workers=[
            OutboxRelay(runtime.database, runtime.messaging).worker,
            people_consumer(runtime.messaging, ApplyPersonChange(transactions, _now)),
            inbox_pruner(runtime.database),
            erasure_consumer(runtime.messaging, note_erased, deletions.wake),
            rollout.worker,
            deletions.worker,
            CompanyGauge(companies.count_companies, runtime.metrics).worker,
        ],
        bookkeeping_tables=_BOOKKEEPING_TABLES,
    )


def _build_people(
    runtime: Runtime[CompaniesSettings], transactions: PostgresTransactions
) -> tuple[teams_api.TeamServicer, assignments_api.AssignmentServicer]:
    """Build what puts people into teams and on vehicles."""
    users = runtime.channels.channel(runtime.settings.users_target)
    people = clients.GrpcPersonDirectory(users)
    return (
        teams_api.TeamServicer(
            TeamUseCases(transactions, _now, new_id),
            MembershipUseCases(transactions, people, _now, new_id),
        ),
        assignments_api.AssignmentServicer(AssignmentUseCases(transactions, people, _now, new_id)),
    )


def _build_dashboards(
    runtime: Runtime[CompaniesSettings], transactions: PostgresTransactions
) -> dashboards_api.DashboardServicer:
    channels, settings = runtime.channels, runtime.settings
    censuses = Censuses(
        people=clients.GrpcPeopleCensus(channels.channel(settings.users_target)),
        devices=clients.GrpcDeviceCensus(channels.channel(settings.telemetry_target)),
        logins=clients.GrpcLoginCensus(channels.channel(settings.auth_target)),
    )
    views = DashboardViewCounter(runtime.metrics)
    return dashboards_api.DashboardServicer(DashboardUseCases(transactions, censuses, views, _now))


def _now() -> datetime:
    return datetime.now(UTC)
