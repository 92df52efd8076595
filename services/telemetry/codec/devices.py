"""Messages of the registry to domain values and back."""

import uuid

from dashtrack.telemetry.v1 import device_service_pb2 as pb

from services.chassis.errors import UpdateMaskInvalid, invalid_field
from services.chassis.fields import decode_optional_id, encode_time
from services.chassis.page_tokens import encode_next_page
from services.telemetry.domain.devices import ClaimTicket, Device, DeviceEdit, DeviceStatus
from services.telemetry.usecases.registry import DevicePage, NewDevice

_STATUSES = {
    DeviceStatus.REGISTERED: pb.Device.STATUS_REGISTERED,
    DeviceStatus.CLAIMED: pb.Device.STATUS_CLAIMED,
    DeviceStatus.DISABLED: pb.Device.STATUS_DISABLED,
}
_CHANGEABLE = frozenset({"display_name", "vehicle_id"})


def decode_new_device(request: pb.RegisterDeviceRequest) -> NewDevice:
    """Read a wish for a device."""
    device = request.device
    if not device.hardware_id:
        raise invalid_field("device.hardware_id", "hardware_id is required.")
    return NewDevice(
        company_id=decode_optional_id(device.company_id),
        hardware_id=device.hardware_id,
        display_name=device.display_name,
        vehicle_id=decode_optional_id(device.vehicle_id),
        request_id=decode_optional_id(request.request_id),
    )


def decode_edit(request: pb.UpdateDeviceRequest) -> tuple[uuid.UUID, DeviceEdit]:
    """Read which device an update is for and what it changes.

    Raises:
        UpdateMaskInvalid: the mask names what does not exist or cannot be changed.
        InvalidArgument: the id is missing.
    """
    device = request.device
    if not device.device_id:
        raise invalid_field("device.device_id", "The id is required.")
    mask = set(request.update_mask.paths)
    if unknown := sorted(mask - _CHANGEABLE):
        raise UpdateMaskInvalid(unknown[0])
    named = mask or {field for field in _CHANGEABLE if getattr(device, field)}
    edit = DeviceEdit(
        display_name=device.display_name if "display_name" in named else None,
        moves="vehicle_id" in named,
        vehicle_id=decode_optional_id(device.vehicle_id),
        etag=device.etag,
    )
    return uuid.UUID(device.device_id), edit


def encode_device(device: Device) -> pb.Device:
    """Write a device as callers see it."""
    message = pb.Device(
        device_id=str(device.device_id),
        company_id=str(device.company_id),
        hardware_id=device.hardware_id,
        display_name=device.display_name,
        vehicle_id=str(device.vehicle_id or ""),
        status=_STATUSES[device.status],
        create_time=encode_time(device.created_at),
        etag=device.etag,
    )
    if device.last_upload_at is not None:
        message.last_upload_time.CopyFrom(encode_time(device.last_upload_at))
    return message


def encode_registered(device: Device, ticket: ClaimTicket | None) -> pb.RegisterDeviceResponse:
    """Write a device and its claim code, if it needs one."""
    response = pb.RegisterDeviceResponse(device=encode_device(device))
    if ticket is not None:
        response.claim_code = ticket.code
        response.claim_expire_time.CopyFrom(encode_time(ticket.expires_at))
    return response


def encode_enabled(device: Device, ticket: ClaimTicket | None) -> pb.EnableDeviceResponse:
    """Write a device and its claim code, if it needs one."""
    response = pb.EnableDeviceResponse(device=encode_device(device))
    if ticket is not None:
        response.claim_code = ticket.code
        response.claim_expire_time.CopyFrom(encode_time(ticket.expires_at))
    return response


def encode_page(page: DevicePage, request: pb.ListDevicesRequest) -> pb.ListDevicesResponse:
    """Write a page, and the token that gets the next one."""
    return pb.ListDevicesResponse(
        devices=map(encode_device, page.devices),
        next_page_token=encode_next_page(page.next_after, request),
    )
