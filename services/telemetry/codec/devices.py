"""Messages of the registry to domain values and back."""

import uuid

from dashtrack.telemetry.v1 import device_service_pb2 as pb

from services.chassis.errors import FieldViolation, InvalidArgument
from services.chassis.page_tokens import (
    PageTokenInvalid,
    decode_page_token,
    encode_page_token,
    fingerprint,
)
from services.telemetry.codec.times import encode_moment
from services.telemetry.domain.devices import ClaimTicket, Device, DeviceStatus
from services.telemetry.usecases.registry import DevicePage, NewDevice

PAGE_SIZE_DEFAULT = 50

_STATUSES = {
    DeviceStatus.REGISTERED: pb.Device.STATUS_REGISTERED,
    DeviceStatus.CLAIMED: pb.Device.STATUS_CLAIMED,
    DeviceStatus.DISABLED: pb.Device.STATUS_DISABLED,
}


def decode_id(text: str) -> uuid.UUID:
    """Read an id that validation has found well formed."""
    return uuid.UUID(text)


def decode_optional_id(text: str) -> uuid.UUID | None:
    """Read an id that may be left out."""
    return uuid.UUID(text) if text else None


def decode_new_device(request: pb.RegisterDeviceRequest) -> NewDevice:
    """Read a wish for a device."""
    device = request.device
    if not device.hardware_id:
        description = "hardware_id is required."
        violation = FieldViolation("device.hardware_id", description)
        raise InvalidArgument(description, violations=[violation])
    return NewDevice(
        company_id=decode_optional_id(device.company_id),
        hardware_id=device.hardware_id,
        display_name=device.display_name,
        vehicle_id=decode_optional_id(device.vehicle_id),
        request_id=decode_optional_id(request.request_id),
    )


def encode_device(device: Device) -> pb.Device:
    """Write a device as callers see it."""
    message = pb.Device(
        device_id=str(device.device_id),
        company_id=str(device.company_id),
        hardware_id=device.hardware_id,
        display_name=device.display_name,
        vehicle_id=str(device.vehicle_id or ""),
        status=_STATUSES[device.status],
        create_time=encode_moment(device.created_at),
    )
    if device.last_upload_at is not None:
        message.last_upload_time.CopyFrom(encode_moment(device.last_upload_at))
    return message


def encode_registered(device: Device, ticket: ClaimTicket | None) -> pb.RegisterDeviceResponse:
    """Write a device and its claim code, if it needs one."""
    response = pb.RegisterDeviceResponse(device=encode_device(device))
    if ticket is not None:
        response.claim_code = ticket.code
        response.claim_expire_time.CopyFrom(encode_moment(ticket.expires_at))
    return response


def decode_page_start(request: pb.ListDevicesRequest) -> uuid.UUID | None:
    """Read after which device a page begins."""
    if not request.page_token:
        return None
    position = decode_page_token(request.page_token, fingerprint(request))
    try:
        return uuid.UUID(str(position["after"]))
    except (KeyError, ValueError) as err:
        raise PageTokenInvalid from err


def encode_page(page: DevicePage, request: pb.ListDevicesRequest) -> pb.ListDevicesResponse:
    """Write a page, and the token that gets the next one."""
    response = pb.ListDevicesResponse(devices=map(encode_device, page.devices))
    if page.next_after is not None:
        position = {"after": str(page.next_after)}
        response.next_page_token = encode_page_token(position, fingerprint(request))
    return response
