"""The gRPC service of numbers about logins."""

from typing import Any

from dashtrack.auth.internal.v1 import security_service_pb2 as pb
from dashtrack.auth.internal.v1.security_service_pb2_grpc import SecurityServiceServicer

from services.auth.codec.figures import encode_figures
from services.auth.usecases.figures import GetSecurityFigures
from services.chassis.fields import decode_id

SECURITY_SERVICE = pb.DESCRIPTOR.services_by_name["SecurityService"].full_name


class SecurityServicer(SecurityServiceServicer):
    """Answers other services."""

    def __init__(self, get_figures: GetSecurityFigures) -> None:
        self._get_figures = get_figures

    async def GetSecurityFigures(
        self, request: pb.GetSecurityFiguresRequest, context: Any
    ) -> pb.SecurityFigures:
        return encode_figures(await self._get_figures(decode_id(request.company_id)))
