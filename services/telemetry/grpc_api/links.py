"""DeviceLinkService and its twin for plain HTTP bodies: claim, exchange, upload."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from dashtrack.device.v1 import device_link_service_pb2 as pb
from dashtrack.device.v1.device_link_service_pb2_grpc import (
    DeviceLinkHttpServiceServicer,
    DeviceLinkServiceServicer,
)
from dashtrack.device.v1.reading_batch_pb2 import ReadingBatch, UploadAck
from google.api.httpbody_pb2 import HttpBody

from services.chassis.fields import decode_id
from services.chassis.identity import current_caller
from services.telemetry.codec import links as codec
from services.telemetry.usecases.claiming import ClaimUseCases
from services.telemetry.usecases.renewing import TokenRenewals
from services.telemetry.usecases.uploading import Upload, Uploads

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["DeviceLinkService"].full_name
HTTP_SERVICE_NAME = pb.DESCRIPTOR.services_by_name["DeviceLinkHttpService"].full_name
HOT_METHODS = frozenset({f"/{SERVICE_NAME}/UploadBatch", f"/{HTTP_SERVICE_NAME}/Upload"})

_UPTIME = "x-dashtrack-uptime-ms"
_ENCODING = "content-encoding"


class DeviceLink:
    """What both services do, in messages."""

    def __init__(
        self,
        claims: ClaimUseCases,
        uploads: Uploads,
        renewals: TokenRenewals,
        *,
        clock: Callable[[], datetime],
        next_upload_s: int,
    ) -> None:
        self._claims = claims
        self._uploads = uploads
        self._renewals = renewals
        self._clock = clock
        self._next_upload_s = next_upload_s

    async def claim(self, request: pb.ClaimDeviceRequest) -> pb.ClaimDeviceResponse:
        """Give a board its identity."""
        device_id, secret = await self._claims.claim(
            request.claim_code, request.hardware_id, request.nonce
        )
        return codec.encode_claimed(device_id, secret, self._clock())

    async def exchange(self, request: pb.ExchangeSecretRequest) -> pb.ExchangeSecretResponse:
        """Give a device a token."""
        token = await self._claims.exchange(decode_id(request.device_id), request.secret)
        return codec.encode_exchanged(token, self._clock())

    async def upload(self, body: bytes, context: Any, *, encoded: bool) -> UploadAck:
        """Store a batch."""
        uptime = encoding = ""
        for key, value in context.invocation_metadata() or ():
            if key == _UPTIME:
                uptime = value
            elif encoded and key == _ENCODING:
                encoding = value
        caller = current_caller()
        device_id = caller.device_id
        receipt = await self._uploads.accept(Upload(device_id, body, encoding, uptime))
        token = await self._renewals.renewed(caller.expires_at_s, receipt.company_id, device_id)
        return codec.encode_ack(receipt, next_upload_s=self._next_upload_s, token=token)


class DeviceLinkServicer(DeviceLinkServiceServicer):
    """Serves boards that speak gRPC, or JSON over REST."""

    def __init__(self, link: DeviceLink) -> None:
        self._link = link

    async def ClaimDevice(
        self, request: pb.ClaimDeviceRequest, context: Any
    ) -> pb.ClaimDeviceResponse:
        return await self._link.claim(request)

    async def ExchangeSecret(
        self, request: pb.ExchangeSecretRequest, context: Any
    ) -> pb.ExchangeSecretResponse:
        return await self._link.exchange(request)

    async def UploadBatch(self, request: ReadingBatch, context: Any) -> UploadAck:
        # The same message always has the same bytes, so that a retry meets the same digest.
        body = request.SerializeToString(deterministic=True)
        return await self._link.upload(body, context, encoded=False)


class DeviceLinkHttpServicer(DeviceLinkHttpServiceServicer):
    """Serves boards that post protobuf."""

    def __init__(self, link: DeviceLink) -> None:
        self._link = link
        self._bodies = codec.HttpBodies()

    async def Upload(self, request: HttpBody, context: Any) -> HttpBody:
        return codec.encode_body(await self._link.upload(request.data, context, encoded=True))

    async def Claim(self, request: HttpBody, context: Any) -> HttpBody:
        claim = self._bodies.decode(request, pb.ClaimDeviceRequest)
        return codec.encode_body(await self._link.claim(claim))

    async def Exchange(self, request: HttpBody, context: Any) -> HttpBody:
        exchange = self._bodies.decode(request, pb.ExchangeSecretRequest)
        return codec.encode_body(await self._link.exchange(exchange))
