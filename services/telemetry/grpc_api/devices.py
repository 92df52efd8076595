"""DeviceService: the registry."""

from typing import Any

from dashtrack.telemetry.v1 import device_service_pb2 as pb
from dashtrack.telemetry.v1.device_service_pb2_grpc import DeviceServiceServicer

from services.chassis.fields import decode_id, decode_optional_id
from services.chassis.identity import current_caller
from services.chassis.page_tokens import PAGE_SIZE_DEFAULT, decode_page_start
from services.telemetry.codec import assignments as assignments_codec
from services.telemetry.codec import devices as codec
from services.telemetry.usecases.assignments import AssignmentUseCases
from services.telemetry.usecases.registry import DeviceUseCases

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["DeviceService"].full_name


class DeviceServicer(DeviceServiceServicer):
    """Serves the registry."""

    def __init__(self, usecases: DeviceUseCases, assignments: AssignmentUseCases) -> None:
        self._usecases = usecases
        self._assignments = assignments

    async def RegisterDevice(
        self, request: pb.RegisterDeviceRequest, context: Any
    ) -> pb.RegisterDeviceResponse:
        new = codec.decode_new_device(request)
        return codec.encode_registered(*await self._usecases.register_device(current_caller(), new))

    async def GetDevice(self, request: pb.GetDeviceRequest, context: Any) -> pb.Device:
        device_id = decode_id(request.device_id)
        return codec.encode_device(await self._usecases.get_device(current_caller(), device_id))

    async def ListDevices(
        self, request: pb.ListDevicesRequest, context: Any
    ) -> pb.ListDevicesResponse:
        page = await self._usecases.list_devices(
            current_caller(),
            company_id=decode_optional_id(request.company_id),
            after=decode_page_start(request),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_page(page, request)

    async def UpdateDevice(self, request: pb.UpdateDeviceRequest, context: Any) -> pb.Device:
        device_id, edit = codec.decode_edit(request)
        device = await self._usecases.update_device(current_caller(), device_id, edit)
        return codec.encode_device(device)

    async def EnableDevice(
        self, request: pb.EnableDeviceRequest, context: Any
    ) -> pb.EnableDeviceResponse:
        device_id = decode_id(request.device_id)
        return codec.encode_enabled(
            *await self._usecases.enable_device(current_caller(), device_id)
        )

    async def ListDeviceAssignments(
        self, request: pb.ListDeviceAssignmentsRequest, context: Any
    ) -> pb.ListDeviceAssignmentsResponse:
        query = assignments_codec.decode_query(request)
        page = await self._assignments.list_assignments(current_caller(), query)
        return assignments_codec.encode_page(page, request)

    async def DisableDevice(self, request: pb.DisableDeviceRequest, context: Any) -> pb.Device:
        device_id = decode_id(request.device_id)
        return codec.encode_device(await self._usecases.disable_device(current_caller(), device_id))
