"""The gRPC service of vehicles."""

from typing import Any

from dashtrack.companies.v1 import vehicle_service_pb2 as pb
from dashtrack.companies.v1.vehicle_service_pb2_grpc import VehicleServiceServicer

from services.chassis.fields import decode_id
from services.chassis.identity import current_caller
from services.chassis.page_tokens import PAGE_SIZE_DEFAULT
from services.companies.codec import vehicles as codec
from services.companies.usecases.vehicles import VehicleUseCases

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["VehicleService"].full_name


class VehicleServicer(VehicleServiceServicer):
    """Serves vehicles."""

    def __init__(self, usecases: VehicleUseCases) -> None:
        self._usecases = usecases

    async def CreateVehicle(self, request: pb.CreateVehicleRequest, context: Any) -> pb.Vehicle:
        new = codec.decode_new_vehicle(request)
        return codec.encode_vehicle(await self._usecases.create_vehicle(current_caller(), new))

    async def GetVehicle(self, request: pb.GetVehicleRequest, context: Any) -> pb.Vehicle:
        vehicle_id = decode_id(request.vehicle_id)
        return codec.encode_vehicle(await self._usecases.get_vehicle(current_caller(), vehicle_id))

    async def ListVehicles(
        self, request: pb.ListVehiclesRequest, context: Any
    ) -> pb.ListVehiclesResponse:
        query = codec.decode_query(request)
        page = await self._usecases.list_vehicles(
            current_caller(),
            query,
            after=codec.decode_position(request, query.order),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_vehicle_page(page, request)

    async def UpdateVehicle(self, request: pb.UpdateVehicleRequest, context: Any) -> pb.Vehicle:
        vehicle_id, edit = codec.decode_edit(request)
        vehicle = await self._usecases.update_vehicle(current_caller(), vehicle_id, edit)
        return codec.encode_vehicle(vehicle)

    async def DeleteVehicle(
        self, request: pb.DeleteVehicleRequest, context: Any
    ) -> pb.DeleteVehicleResponse:
        vehicle_id = decode_id(request.vehicle_id)
        await self._usecases.delete_vehicle(current_caller(), vehicle_id, request.etag)
        return pb.DeleteVehicleResponse()
