"""The other services behind the ports that the use cases know."""

import uuid

import grpc
from dashtrack.auth.internal.v1 import token_service_pb2
from dashtrack.auth.internal.v1.token_service_pb2_grpc import TokenServiceStub
from dashtrack.companies.internal.v1 import directory_service_pb2
from dashtrack.companies.internal.v1.directory_service_pb2_grpc import DirectoryServiceStub
from dashtrack.companies.v1 import vehicle_service_pb2

from services.chassis.absence import is_away
from services.chassis.errors import DomainError, Unavailable
from services.telemetry.codec.companies import decode_standing
from services.telemetry.domain.companies import CompanyStanding
from services.telemetry.domain.errors import CompanyNotFound, VehicleNotFound, VehicleRetired
from services.telemetry.ports.registry import DeviceToken

# Somebody waits for the answer; a service that needs longer than this is as good as away.
_TIMEOUT_S = 2.0


class GrpcCompanyDirectory:
    """Asks companies' internal directory."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = DirectoryServiceStub(channel)

    async def require_company(self, company_id: uuid.UUID) -> CompanyStanding:
        """Return how a company stands."""
        request = directory_service_pb2.GetCompanyStandingRequest(company_id=str(company_id))
        try:
            answer = await self._stub.GetCompanyStanding(request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as err:
            raise _translated(err, "company directory", CompanyNotFound(company_id)) from err
        standing = decode_standing(answer)
        if standing.state.gone:
            raise CompanyNotFound(company_id)
        return standing

    async def require_vehicle(self, company_id: uuid.UUID, vehicle_id: uuid.UUID) -> None:
        """Make sure that a company has a vehicle in use."""
        request = directory_service_pb2.GetVehicleStandingRequest(
            company_id=str(company_id), vehicle_id=str(vehicle_id)
        )
        try:
            standing = await self._stub.GetVehicleStanding(request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as err:
            raise _translated(err, "company directory", VehicleNotFound(vehicle_id)) from err
        if standing.status == vehicle_service_pb2.Vehicle.STATUS_RETIRED:
            raise VehicleRetired(vehicle_id)


class GrpcTokenIssuer:
    """Asks auth for the tokens of devices, and to end them."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = TokenServiceStub(channel)

    async def issue(self, company_id: uuid.UUID, device_id: uuid.UUID) -> DeviceToken:
        """Sign a token."""
        request = token_service_pb2.IssueDeviceTokenRequest(
            company_id=str(company_id), device_id=str(device_id)
        )
        try:
            issued = await self._stub.IssueDeviceToken(request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as err:
            raise _translated(err, "token service") from err
        return DeviceToken(issued.token, issued.expire_time.seconds)

    async def revoke(self, company_id: uuid.UUID, device_id: uuid.UUID) -> None:
        """End every token that was issued for a device until now."""
        request = token_service_pb2.RevokeSubjectRequest(
            subject=str(device_id), company_id=str(company_id)
        )
        try:
            await self._stub.RevokeSubject(request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as err:
            raise _translated(err, "token service") from err


def _translated(
    err: grpc.aio.AioRpcError, what: str, not_found: DomainError | None = None
) -> Exception:
    if err.code() is grpc.StatusCode.NOT_FOUND and not_found is not None:
        return not_found
    if is_away(err):
        return Unavailable(f"The {what} does not answer.")
    return err
