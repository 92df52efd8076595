"""Messages about which device was on which vehicle when."""

import uuid
from datetime import datetime

from dashtrack.telemetry.v1 import device_service_pb2 as pb

from services.chassis.fields import decode_optional_id, encode_time
from services.chassis.page_tokens import (
    PAGE_SIZE_DEFAULT,
    PageTokenInvalid,
    decode_page_token,
    encode_page_token,
    fingerprint,
)
from services.telemetry.codec.times import decode_ms_up
from services.telemetry.domain.devices import Assignment
from services.telemetry.ports.registry import AssignmentPlace, AssignmentQuery
from services.telemetry.usecases.assignments import AssignmentPage


def decode_query(request: pb.ListDeviceAssignmentsRequest) -> AssignmentQuery:
    """Read what is asked for.

    Raises:
        PageTokenInvalid: the token is not one of this list with these filters.
    """
    return AssignmentQuery(
        company_id=decode_optional_id(request.company_id),
        device_id=decode_optional_id(request.device_id),
        vehicle_id=decode_optional_id(request.vehicle_id),
        start_ms=decode_ms_up(request.start_time) if request.HasField("start_time") else None,
        end_ms=decode_ms_up(request.end_time) if request.HasField("end_time") else None,
        after=_decode_place(request),
        limit=request.page_size or PAGE_SIZE_DEFAULT,
    )


def encode_page(
    page: AssignmentPage, request: pb.ListDeviceAssignmentsRequest
) -> pb.ListDeviceAssignmentsResponse:
    """Write a page, and the token that gets the next one."""
    response = pb.ListDeviceAssignmentsResponse(assignments=map(_encode, page.assignments))
    if page.next_after is not None:
        place = {
            "start": page.next_after.start_at.isoformat(),
            "device": str(page.next_after.device_id),
        }
        response.next_page_token = encode_page_token(place, fingerprint(request))
    return response


def _decode_place(request: pb.ListDeviceAssignmentsRequest) -> AssignmentPlace | None:
    if not request.page_token:
        return None
    found = decode_page_token(request.page_token, fingerprint(request))
    try:
        start_at = datetime.fromisoformat(str(found["start"]))
        return AssignmentPlace(start_at, uuid.UUID(str(found["device"])))
    except (KeyError, ValueError) as err:
        raise PageTokenInvalid from err


def _encode(assignment: Assignment) -> pb.DeviceAssignment:
    return pb.DeviceAssignment(
        device_id=str(assignment.device_id),
        vehicle_id=str(assignment.vehicle_id),
        company_id=str(assignment.company_id),
        start_time=encode_time(assignment.start_at),
        end_time=encode_time(assignment.end_at) if assignment.end_at else None,
    )
