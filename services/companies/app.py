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
from services.companies.grpc_api import companies as companies_api
from services.companies.grpc_api import directory as directory_api
from services.companies.grpc_api import vehicles as vehicles_api
from services.companies.metrics import CompanyGauge
from services.companies.settings import CompaniesSettings
from services.companies.storage.store import PostgresTransactions
from services.companies.usecases.companies import CompanyUseCases
from services.companies.usecases.vehicles import VehicleUseCases

_SERVICE_NAMES = [companies_api.SERVICE_NAME, vehicles_api.SERVICE_NAME, directory_api.SERVICE_NAME]


async def build(runtime: Runtime[CompaniesSettings]) -> App:
    """Build the service on its run-time."""
    transactions = PostgresTransactions(runtime.database)
    companies = CompanyUseCases(transactions, _now, new_id)
    vehicles = VehicleUseCases(transactions, _now, new_id)

    def register(server: grpc.aio.Server) -> None:
        add_CompanyServiceServicer_to_server(companies_api.CompanyServicer(companies), server)
        add_VehicleServiceServicer_to_server(vehicles_api.VehicleServicer(vehicles), server)
        directory = directory_api.DirectoryServicer(companies, vehicles)
        add_DirectoryServiceServicer_to_server(directory, server)

    return App(
        service_names=_SERVICE_NAMES,
        register=register,
        workers=[CompanyGauge(companies.count_companies, runtime.metrics).worker],
    )


def _now() -> datetime:
    return datetime.now(UTC)
