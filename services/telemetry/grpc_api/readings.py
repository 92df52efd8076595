"""ReadingService: history, newest values and the live watch."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from dashtrack.telemetry.v1 import reading_service_pb2 as pb
from dashtrack.telemetry.v1.reading_service_pb2_grpc import ReadingServiceServicer

from services.chassis.fields import decode_id, decode_optional_id
from services.chassis.identity import current_caller
from services.chassis.rpc.access import recheck_access
from services.telemetry.codec import readings as codec
from services.telemetry.usecases.reading import ReadingUseCases
from services.telemetry.usecases.watching import WatchUseCases

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["ReadingService"].full_name


class ReadingServicer(ReadingServiceServicer):
    """Serves readings."""

    def __init__(self, readings: ReadingUseCases, watches: WatchUseCases) -> None:
        self._readings = readings
        self._watches = watches
        self._encoder = codec.WatchEncoder()

    async def GetLatestReadings(
        self, request: pb.GetLatestReadingsRequest, context: Any
    ) -> pb.LatestReadings:
        device_id = decode_id(request.device_id)
        latest = await self._readings.get_latest(current_caller(), device_id)
        return codec.encode_latest(device_id, latest)

    async def ListReadings(
        self, request: pb.ListReadingsRequest, context: Any
    ) -> pb.ListReadingsResponse:
        page = await self._readings.list_readings(
            current_caller(),
            decode_id(request.device_id),
            request.sensor,
            codec.decode_range(request),
        )
        return codec.encode_readings(page, request)

    async def ListPositions(
        self, request: pb.ListPositionsRequest, context: Any
    ) -> pb.ListPositionsResponse:
        page = await self._readings.list_positions(
            current_caller(), decode_id(request.device_id), codec.decode_range(request)
        )
        return codec.encode_positions(page, request)

    async def WatchReadings(
        self, request: pb.WatchReadingsRequest, context: Any
    ) -> AsyncIterator[pb.WatchReadingsResponse]:
        items = self._watches.watch(
            current_caller(),
            company_id=decode_optional_id(request.company_id),
            device_id=decode_optional_id(request.device_id),
            recheck=recheck_access,
        )
        async with aclosing(items):
            async for item in items:
                yield self._encoder.encode(item)
