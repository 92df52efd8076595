"""The companies service behind the port that the use cases know."""

import uuid

import grpc
from dashtrack.companies.internal.v1 import directory_service_pb2 as pb
from dashtrack.companies.internal.v1.directory_service_pb2_grpc import DirectoryServiceStub

from services.chassis.absence import is_away
from services.chassis.errors import Unavailable
from services.users.domain import CompanyNotFound

# A person waits for the answer; a directory that needs longer than this is as good as away.
_TIMEOUT_S = 1.0


class GrpcCompanyDirectory:
    """Asks companies' internal directory."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = DirectoryServiceStub(channel)

    async def require(self, company_id: uuid.UUID) -> None:
        """Make sure that a company exists."""
        request = pb.GetCompanyStandingRequest(company_id=str(company_id))
        try:
            await self._stub.GetCompanyStanding(request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as err:
            if err.code() is grpc.StatusCode.NOT_FOUND:
                raise CompanyNotFound(company_id) from err
            if is_away(err):
                message = "The company directory does not answer."
                raise Unavailable(message) from err
            raise
