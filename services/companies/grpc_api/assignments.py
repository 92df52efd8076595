"""The gRPC service of assignments."""

from typing import Any

from dashtrack.companies.v1 import assignment_service_pb2 as pb
from dashtrack.companies.v1.assignment_service_pb2_grpc import AssignmentServiceServicer

from services.chassis.fields import decode_id
from services.chassis.identity import current_caller
from services.chassis.page_tokens import PAGE_SIZE_DEFAULT, decode_page_start
from services.companies.codec import assignments as codec
from services.companies.usecases.assignments import AssignmentUseCases

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["AssignmentService"].full_name


class AssignmentServicer(AssignmentServiceServicer):
    """Serves assignments."""

    def __init__(self, usecases: AssignmentUseCases) -> None:
        self._usecases = usecases

    async def AssignPerson(self, request: pb.AssignPersonRequest, context: Any) -> pb.Assignment:
        vehicle_id, user_id = map(decode_id, (request.vehicle_id, request.user_id))
        assignment = await self._usecases.assign_person(
            current_caller(), vehicle_id, user_id, replace=request.replace
        )
        return codec.encode_assignment(assignment)

    async def EndAssignment(self, request: pb.EndAssignmentRequest, context: Any) -> pb.Assignment:
        assignment_id = decode_id(request.assignment_id)
        assignment = await self._usecases.end_assignment(current_caller(), assignment_id)
        return codec.encode_assignment(assignment)

    async def ListAssignments(
        self, request: pb.ListAssignmentsRequest, context: Any
    ) -> pb.ListAssignmentsResponse:
        page = await self._usecases.list_assignments(
            current_caller(),
            codec.decode_assignment_query(request),
            before=decode_page_start(request),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_assignment_page(page, request)
