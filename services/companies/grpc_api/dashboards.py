"""The gRPC service of dashboards."""

from typing import Any

from dashtrack.companies.v1 import dashboard_service_pb2 as pb
from dashtrack.companies.v1.dashboard_service_pb2_grpc import DashboardServiceServicer

from services.chassis.fields import decode_optional_id
from services.chassis.identity import current_caller
from services.companies.codec import dashboards as codec
from services.companies.domain.dashboards import DashboardType
from services.companies.usecases.dashboards import DashboardUseCases

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["DashboardService"].full_name


class DashboardServicer(DashboardServiceServicer):
    """Serves dashboards."""

    def __init__(self, usecases: DashboardUseCases) -> None:
        self._usecases = usecases

    async def GetDashboard(self, request: pb.GetDashboardRequest, context: Any) -> pb.Dashboard:
        dashboard = await self._usecases.get_dashboard(
            current_caller(),
            DashboardType(request.type),
            decode_optional_id(request.company_id),
        )
        return codec.encode_dashboard(dashboard)
