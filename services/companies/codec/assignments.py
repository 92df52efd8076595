"""Assignments between protobuf and the domain."""

from dashtrack.companies.v1 import assignment_service_pb2 as pb

from services.chassis.fields import decode_optional_id, encode_time
from services.chassis.page_tokens import encode_next_page
from services.companies.domain.assignments import Assignment, AssignmentQuery, Duty
from services.companies.usecases.pages import Page

_DUTY_NUMBERS = {duty: pb.Assignment.Duty.Value(f"DUTY_{duty.name}") for duty in Duty}


def decode_assignment_query(request: pb.ListAssignmentsRequest) -> AssignmentQuery:
    """Read what is asked of the history."""
    return AssignmentQuery(
        company_id=decode_optional_id(request.company_id),
        vehicle_id=decode_optional_id(request.vehicle_id),
        user_id=decode_optional_id(request.user_id),
        current_only=request.current_only,
    )


def encode_assignment_page(
    page: Page[Assignment], request: pb.ListAssignmentsRequest
) -> pb.ListAssignmentsResponse:
    """Write a page, and the token that gets the next one."""
    return pb.ListAssignmentsResponse(
        assignments=map(encode_assignment, page.items),
        next_page_token=encode_next_page(page.next_after, request),
    )


def encode_assignment(assignment: Assignment) -> pb.Assignment:
    """Write an assignment as callers see it."""
    return pb.Assignment(
        assignment_id=str(assignment.assignment_id),
        company_id=str(assignment.company_id),
        vehicle_id=str(assignment.vehicle_id),
        plate=assignment.plate,
        user_id=str(assignment.user_id or ""),
        duty=_DUTY_NUMBERS[assignment.duty],
        start_time=encode_time(assignment.start_time),
        end_time=encode_time(assignment.end_time) if assignment.end_time else None,
    )
