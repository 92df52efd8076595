"""Vehicles between protobuf and the domain."""

import uuid
from datetime import datetime

from dashtrack.companies.v1 import vehicle_service_pb2 as pb

from services.chassis.errors import UpdateMaskInvalid, invalid_field
from services.chassis.fields import decode_optional_id, encode_time
from services.chassis.page_tokens import (
    PageTokenInvalid,
    decode_page_token,
    encode_page_token,
    fingerprint,
)
from services.companies.domain.search import words_of
from services.companies.domain.vehicle_lists import (
    VehicleOrder,
    VehicleOrderField,
    VehiclePosition,
    VehicleQuery,
)
from services.companies.domain.vehicles import (
    NewVehicle,
    Vehicle,
    VehicleEdit,
    VehicleStatus,
    VehicleType,
)
from services.companies.usecases.vehicles import VehiclePage

TYPE_NUMBERS = {kind: pb.Vehicle.Type.Value(f"TYPE_{kind.name}") for kind in VehicleType}
STATUS_NUMBERS = {
    status: pb.Vehicle.Status.Value(f"STATUS_{status.name}") for status in VehicleStatus
}
_TYPES = {number: kind for kind, number in TYPE_NUMBERS.items()}
_STATUSES = {number: status for status, number in STATUS_NUMBERS.items()}
_CHANGEABLE = frozenset({"plate", "display_name", "type", "status", "odometer_m", "vin", "team_id"})


def decode_new_vehicle(request: pb.CreateVehicleRequest) -> NewVehicle:
    """Read what a creation asks for."""
    vehicle = request.vehicle
    return NewVehicle(
        company_id=decode_optional_id(vehicle.company_id),
        plate=vehicle.plate,
        display_name=vehicle.display_name,
        type=_decode_type(vehicle),
        status=_decode_status(vehicle),
        odometer_m=vehicle.odometer_m,
        vin=vehicle.vin,
        team_id=decode_optional_id(vehicle.team_id),
        request_id=decode_optional_id(request.request_id),
    )


def decode_edit(request: pb.UpdateVehicleRequest) -> tuple[uuid.UUID, VehicleEdit]:
    """Read which vehicle an update is for and what it changes.

    Raises:
        UpdateMaskInvalid: the mask names what does not exist or cannot be changed.
        InvalidArgument: the id is missing.
    """
    vehicle = request.vehicle
    if not vehicle.vehicle_id:
        raise invalid_field("vehicle.vehicle_id", "The id is required.")
    mask = set(request.update_mask.paths)
    named = mask or {field for field in _CHANGEABLE if getattr(vehicle, field)}
    if unknown := sorted(named - _CHANGEABLE):
        raise UpdateMaskInvalid(unknown[0])
    edit = VehicleEdit(
        plate=vehicle.plate if "plate" in named else None,
        display_name=vehicle.display_name if "display_name" in named else None,
        type=_decode_type(vehicle) if "type" in named else None,
        status=_decode_status(vehicle) if "status" in named else None,
        odometer_m=vehicle.odometer_m if "odometer_m" in named else None,
        vin=vehicle.vin if "vin" in named else None,
        team_id=decode_optional_id(vehicle.team_id) if "team_id" in named else None,
        leaves_team="team_id" in named and not vehicle.team_id,
        allow_odometer_decrease=request.allow_odometer_decrease,
        etag=vehicle.etag,
    )
    return uuid.UUID(vehicle.vehicle_id), edit


def decode_query(request: pb.ListVehiclesRequest) -> VehicleQuery:
    """Read what is asked of a list.

    Raises:
        InvalidArgument: the words or the order cannot be understood.
    """
    return VehicleQuery(
        company_id=decode_optional_id(request.company_id),
        status=_STATUSES[request.status] if request.status else None,
        type=_TYPES[request.type] if request.type else None,
        team_id=decode_optional_id(request.team_id),
        words=words_of(request.query),
        order=VehicleOrder.parse(request.order_by),
    )


def decode_position(request: pb.ListVehiclesRequest, order: VehicleOrder) -> VehiclePosition | None:
    """Read where a page starts: None at the beginning.

    Raises:
        PageTokenInvalid: the token is not one of this list with these filters and this order.
    """
    if not request.page_token:
        return None
    found = decode_page_token(request.page_token, fingerprint(request))
    try:
        key, vehicle_id = found["key"], uuid.UUID(str(found["after"]))
        match order.field:
            case VehicleOrderField.CREATE_TIME:
                return VehiclePosition(datetime.fromisoformat(str(key)), vehicle_id)
            case VehicleOrderField.ODOMETER_M:
                return VehiclePosition(int(key), vehicle_id)
            case _:
                return VehiclePosition(str(key), vehicle_id)
    except (KeyError, ValueError) as err:
        raise PageTokenInvalid from err


def encode_vehicle_page(
    page: VehiclePage, request: pb.ListVehiclesRequest
) -> pb.ListVehiclesResponse:
    """Write a page, and the token that gets the next one."""
    response = pb.ListVehiclesResponse(vehicles=map(encode_vehicle, page.vehicles))
    if page.next_after is not None:
        key = page.next_after.key
        position = {
            "key": key.isoformat() if isinstance(key, datetime) else key,
            "after": str(page.next_after.vehicle_id),
        }
        response.next_page_token = encode_page_token(position, fingerprint(request))
    return response


def encode_vehicle(vehicle: Vehicle) -> pb.Vehicle:
    """Write a vehicle as callers see it."""
    return pb.Vehicle(
        vehicle_id=str(vehicle.vehicle_id),
        company_id=str(vehicle.company_id),
        plate=vehicle.plate,
        display_name=vehicle.display_name,
        type=TYPE_NUMBERS[vehicle.type],
        status=STATUS_NUMBERS[vehicle.status],
        odometer_m=vehicle.odometer_m,
        vin=vehicle.vin,
        team_id=str(vehicle.team_id or ""),
        create_time=encode_time(vehicle.create_time),
        update_time=encode_time(vehicle.update_time),
        etag=vehicle.etag,
    )


def _decode_type(vehicle: pb.Vehicle) -> VehicleType:
    return _TYPES.get(vehicle.type, VehicleType.OTHER)


def _decode_status(vehicle: pb.Vehicle) -> VehicleStatus:
    return _STATUSES.get(vehicle.status, VehicleStatus.ACTIVE)
