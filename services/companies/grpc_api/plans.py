"""The gRPC service of plans."""

from typing import Any

from dashtrack.companies.v1 import plan_service_pb2
from dashtrack.companies.v1.plan_service_pb2_grpc import PlanServiceServicer

from services.chassis.identity import current_caller
from services.chassis.page_tokens import PAGE_SIZE_DEFAULT
from services.companies.codec import plans as codec
from services.companies.usecases.plans import PlanUseCases

SERVICE_NAME = plan_service_pb2.DESCRIPTOR.services_by_name["PlanService"].full_name


class PlanServicer(PlanServiceServicer):
    """Serves plans."""

    def __init__(self, usecases: PlanUseCases) -> None:
        self._usecases = usecases

    async def CreatePlan(
        self, request: plan_service_pb2.CreatePlanRequest, context: Any
    ) -> plan_service_pb2.Plan:
        new = codec.decode_new_plan(request)
        return codec.encode_plan(await self._usecases.create_plan(current_caller(), new))

    async def GetPlan(
        self, request: plan_service_pb2.GetPlanRequest, context: Any
    ) -> plan_service_pb2.Plan:
        return codec.encode_plan(await self._usecases.get_plan(request.plan_id))

    async def ListPlans(
        self, request: plan_service_pb2.ListPlansRequest, context: Any
    ) -> plan_service_pb2.ListPlansResponse:
        page = await self._usecases.list_plans(
            after=codec.decode_position(request),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
            show_retired=request.show_retired,
        )
        return codec.encode_plan_page(page, request)

    async def UpdatePlan(
        self, request: plan_service_pb2.UpdatePlanRequest, context: Any
    ) -> plan_service_pb2.Plan:
        plan_id, edit = codec.decode_edit(request)
        return codec.encode_plan(await self._usecases.update_plan(plan_id, edit))
