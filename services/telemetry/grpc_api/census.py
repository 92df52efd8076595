"""The gRPC service that counts devices for other services."""

from typing import Any

from dashtrack.telemetry.internal.v1 import census_service_pb2 as pb
from dashtrack.telemetry.internal.v1.census_service_pb2_grpc import CensusServiceServicer

from services.chassis.fields import decode_id
from services.telemetry.codec.census import encode_census
from services.telemetry.usecases.census import CountDevices

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["CensusService"].full_name


class CensusServicer(CensusServiceServicer):
    """Answers other services."""

    def __init__(self, count_devices: CountDevices) -> None:
        self._count_devices = count_devices

    async def CountDevices(
        self, request: pb.CountDevicesRequest, context: Any
    ) -> pb.CountDevicesResponse:
        return encode_census(await self._count_devices(decode_id(request.company_id)))
