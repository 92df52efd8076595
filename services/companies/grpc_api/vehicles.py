"""The gRPC service of vehicles."""

from typing import Any

from dashtrack.companies.v1 import vehicle_service_pb2
from dashtrack.companies.v1.vehicle_service_pb2_grpc import VehicleServiceServicer

from services.chassis.fields import decode_id, decode_optional_id
from services.chassis.identity import current_caller
from services.chassis.page_tokens import PAGE_SIZE_DEFAULT, decode_page_start
from services.companies.codec import vehicles as codec
from services.companies.usecases.vehicles import VehicleUseCases

SERVICE_NAME = vehicle_service_pb2.DESCRIPTOR.services_by_name["VehicleService"].full_name


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
