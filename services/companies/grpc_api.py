"""The gRPC services: each method decodes a call, runs its use case, encodes the outcome."""

from typing import Any

from dashtrack.companies.internal.v1 import directory_service_pb2
from dashtrack.companies.internal.v1.directory_service_pb2_grpc import DirectoryServiceServicer
from dashtrack.companies.v1 import company_pb2, company_service_pb2, vehicle_service_pb2
from dashtrack.companies.v1.company_service_pb2_grpc import CompanyServiceServicer
from dashtrack.companies.v1.vehicle_service_pb2_grpc import VehicleServiceServicer

from services.chassis.fields import decode_id, decode_optional_id
from services.chassis.identity import current_caller
from services.chassis.page_tokens import PAGE_SIZE_DEFAULT, decode_page_start
from services.companies import codec
from services.companies.usecases import CompanyUseCases, VehicleUseCases

SERVICE_NAMES = [
    company_service_pb2.DESCRIPTOR.services_by_name["CompanyService"].full_name,
    vehicle_service_pb2.DESCRIPTOR.services_by_name["VehicleService"].full_name,
    directory_service_pb2.DESCRIPTOR.services_by_name["DirectoryService"].full_name,
]


class CompanyServicer(CompanyServiceServicer):
    """Serves companies."""

    def __init__(self, usecases: CompanyUseCases) -> None:
        self._usecases = usecases

    async def CreateCompany(
        self, request: company_service_pb2.CreateCompanyRequest, context: Any
    ) -> company_pb2.Company:
        new = codec.decode_new_company(request)
        return codec.encode_company(await self._usecases.create_company(current_caller(), new))

    async def GetCompany(
        self, request: company_service_pb2.GetCompanyRequest, context: Any
    ) -> company_pb2.Company:
        company_id = decode_id(request.company_id)
        return codec.encode_company(await self._usecases.get_company(current_caller(), company_id))

    async def ListCompanies(
        self, request: company_service_pb2.ListCompaniesRequest, context: Any
    ) -> company_service_pb2.ListCompaniesResponse:
        page = await self._usecases.list_companies(
            current_caller(),
            after=decode_page_start(request),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_company_page(page, request)

    async def UpdateCompany(
        self, request: company_service_pb2.UpdateCompanyRequest, context: Any
    ) -> company_pb2.Company:
        company_id, edit = codec.decode_edit(request)
        company = await self._usecases.update_company(current_caller(), company_id, edit)
        return codec.encode_company(company)


class VehicleServicer(VehicleServiceServicer):
    """Serves vehicles."""

    def __init__(self, usecases: VehicleUseCases) -> None:
        self._usecases = usecases

    async def CreateVehicle(
        self, request: vehicle_service_pb2.CreateVehicleRequest, context: Any
    ) -> vehicle_service_pb2.Vehicle:
        new = codec.decode_new_vehicle(request)
        return codec.encode_vehicle(await self._usecases.create_vehicle(current_caller(), new))

    async def GetVehicle(
        self, request: vehicle_service_pb2.GetVehicleRequest, context: Any
    ) -> vehicle_service_pb2.Vehicle:
        vehicle_id = decode_id(request.vehicle_id)
        return codec.encode_vehicle(await self._usecases.get_vehicle(current_caller(), vehicle_id))

    async def ListVehicles(
        self, request: vehicle_service_pb2.ListVehiclesRequest, context: Any
    ) -> vehicle_service_pb2.ListVehiclesResponse:
        page = await self._usecases.list_vehicles(
            current_caller(),
            company_id=decode_optional_id(request.company_id),
            after=decode_page_start(request),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_vehicle_page(page, request)


class DirectoryServicer(DirectoryServiceServicer):
    """Answers other services."""

    def __init__(self, companies: CompanyUseCases, vehicles: VehicleUseCases) -> None:
        self._companies = companies
        self._vehicles = vehicles

    async def GetCompanyStanding(
        self, request: directory_service_pb2.GetCompanyStandingRequest, context: Any
    ) -> directory_service_pb2.CompanyStanding:
        company_id = decode_id(request.company_id)
        company = await self._companies.get_company(current_caller(), company_id)
        return codec.encode_company_standing(company)

    async def GetVehicleStanding(
        self, request: directory_service_pb2.GetVehicleStandingRequest, context: Any
    ) -> directory_service_pb2.VehicleStanding:
        company_id, vehicle_id = map(decode_id, (request.company_id, request.vehicle_id))
        vehicle = await self._vehicles.get_vehicle_of(company_id, vehicle_id)
        return codec.encode_vehicle_standing(vehicle)
