"""The gRPC service that answers other services."""

from typing import Any

from dashtrack.companies.internal.v1 import directory_service_pb2
from dashtrack.companies.internal.v1.directory_service_pb2_grpc import DirectoryServiceServicer

from services.chassis.fields import decode_id
from services.companies.codec import directory as codec
from services.companies.usecases.companies import CompanyUseCases
from services.companies.usecases.vehicles import VehicleUseCases

SERVICE_NAME = directory_service_pb2.DESCRIPTOR.services_by_name["DirectoryService"].full_name


class DirectoryServicer(DirectoryServiceServicer):
    """Answers other services."""

    def __init__(self, companies: CompanyUseCases, vehicles: VehicleUseCases) -> None:
        self._companies = companies
        self._vehicles = vehicles

    async def GetCompanyStanding(
        self, request: directory_service_pb2.GetCompanyStandingRequest, context: Any
    ) -> directory_service_pb2.CompanyStanding:
        company_id = decode_id(request.company_id)
        return codec.encode_company_standing(await self._companies.get_standing(company_id))

    async def GetVehicleStanding(
        self, request: directory_service_pb2.GetVehicleStandingRequest, context: Any
    ) -> directory_service_pb2.VehicleStanding:
        company_id, vehicle_id = map(decode_id, (request.company_id, request.vehicle_id))
        vehicle = await self._vehicles.get_vehicle_of(company_id, vehicle_id)
        return codec.encode_vehicle_standing(vehicle)
