"""What boards exchange with the service: messages, typed or as plain HTTP bodies."""

import uuid
from datetime import datetime
from typing import TypeVar

import protovalidate
from dashtrack.device.v1 import device_link_service_pb2 as link_pb
from dashtrack.device.v1.reading_batch_pb2 import UploadAck, UploadLimits
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import DecodeError, Message

from services.chassis.errors import InvalidArgument
from services.chassis.rpc.validation import require_valid
from services.telemetry.codec.bodies import plain_body
from services.telemetry.codec.wire import inspect
from services.telemetry.domain.batches import (
    BODY_BYTES_MAX,
    READINGS_MAX,
    SENSORS_MAX,
    BatchShape,
)
from services.telemetry.ports.registry import DeviceToken
from services.telemetry.usecases.uploading import Receipt

CONTENT_TYPE = "application/x-protobuf"

M = TypeVar("M", bound=Message)

_LIMITS = UploadLimits(
    body_bytes_max=BODY_BYTES_MAX, readings_max=READINGS_MAX, sensors_max=SENSORS_MAX
)


class WireBodyReader:
    """Understands upload bodies."""

    def unpack(self, body: bytes, content_encoding: str) -> bytes:
        """Undo the content encoding, within the limit."""
        return plain_body(body, content_encoding)

    def inspect(self, body: bytes) -> BatchShape:
        """Check a plain body against every rule of the contract."""
        return inspect(body)


class HttpBodies:
    """Messages in plain HTTP bodies, held to the same rules as typed requests."""

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()

    def decode(self, body: HttpBody, message_type: type[M]) -> M:
        """Read a message out of a body.

        Raises:
            InvalidArgument: it doesn't parse or breaks a rule.
        """
        try:
            message = message_type.FromString(body.data)
        except DecodeError as err:
            name = message_type.DESCRIPTOR.name
            raise InvalidArgument(f"The body is not a {name} in protobuf.") from err
        require_valid(self._validator, message)
        return message


def encode_body(message: Message) -> HttpBody:
    """Write a message into a body."""
    return HttpBody(content_type=CONTENT_TYPE, data=message.SerializeToString())


def encode_ack(receipt: Receipt, *, next_upload_s: int, token: str) -> UploadAck:
    """Write an acknowledgement."""
    return UploadAck(
        boot_id=receipt.boot_id,
        seq=receipt.seq,
        part=receipt.part,
        repeated=receipt.repeated,
        server_unix_ms=receipt.at_ms,
        next_upload_s=next_upload_s,
        limits=_LIMITS,
        token=token,
    )


def encode_claimed(device_id: uuid.UUID, secret: str, now: datetime) -> link_pb.ClaimDeviceResponse:
    """Write a board's identity."""
    return link_pb.ClaimDeviceResponse(
        device_id=str(device_id), secret=secret, server_unix_ms=_ms(now)
    )


def encode_exchanged(token: DeviceToken, now: datetime) -> link_pb.ExchangeSecretResponse:
    """Write a token for uploads."""
    now_ms = _ms(now)
    return link_pb.ExchangeSecretResponse(
        token=token.token,
        expires_in_s=max(0, token.expires_at_s - now_ms // 1000),
        server_unix_ms=now_ms,
    )


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
