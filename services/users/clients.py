"""The companies service behind the port that the use cases know."""

import uuid

import grpc
from dashtrack.companies.internal.v1 import directory_service_pb2 as pb
from dashtrack.companies.internal.v1.directory_service_pb2_grpc import DirectoryServiceStub

from services.chassis.absence import is_away
from services.chassis.errors import Unavailable
from services.users.codec import decode_standing
from services.users.domain.companies import CompanyStanding
from services.users.domain.errors import CompanyNotFound

# A person waits for the answer; a directory that needs longer than this is as good as away.
_TIMEOUT_S = 1.0


class GrpcCompanyDirectory:
    """Asks companies' internal directory."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = DirectoryServiceStub(channel)

    async def require(self, company_id: uuid.UUID) -> CompanyStanding:
        """Return how a company stands."""
        request = pb.GetCompanyStandingRequest(company_id=str(company_id))
        try:
            answer = await self._stub.GetCompanyStanding(request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as err:
            if err.code() is grpc.StatusCode.NOT_FOUND:
                raise CompanyNotFound(company_id) from err
            if is_away(err):
                message = "The company directory does not answer."
                raise Unavailable(message) from err
            raise
        standing = decode_standing(answer)
        if standing is None:
            raise CompanyNotFound(company_id)
        return standing
