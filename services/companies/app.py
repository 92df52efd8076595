"""The composition root: the only place that constructs the service's adapters."""

from datetime import UTC, datetime

import grpc.aio
from dashtrack.companies.internal.v1.directory_service_pb2_grpc import (
    add_DirectoryServiceServicer_to_server,
)
from dashtrack.companies.v1.company_service_pb2_grpc import add_CompanyServiceServicer_to_server
from dashtrack.companies.v1.vehicle_service_pb2_grpc import add_VehicleServiceServicer_to_server

from services.chassis.ids import new_id
from services.chassis.service import App, Runtime
from services.companies.grpc_api import (
    SERVICE_NAMES,
    CompanyServicer,
    DirectoryServicer,
    VehicleServicer,
)
from services.companies.metrics import CompanyGauge
from services.companies.settings import CompaniesSettings
from services.companies.storage.repositories import PostgresTransactions
from services.companies.usecases import CompanyUseCases, VehicleUseCases


async def build(runtime: Runtime[CompaniesSettings]) -> App:
    """Build the service on its run-time."""
    transactions = PostgresTransactions(runtime.database)
    companies = CompanyUseCases(transactions, _now, new_id)
    vehicles = VehicleUseCases(transactions, _now, new_id)

    def register(server: grpc.aio.Server) -> None:
        add_CompanyServiceServicer_to_server(CompanyServicer(companies), server)
        add_VehicleServiceServicer_to_server(VehicleServicer(vehicles), server)
        add_DirectoryServiceServicer_to_server(DirectoryServicer(companies, vehicles), server)

    return App(
        service_names=SERVICE_NAMES,
        register=register,
        workers=[CompanyGauge(companies.count_companies, runtime.metrics).worker],
    )


def _now() -> datetime:
    return datetime.now(UTC)
