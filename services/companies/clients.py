"""The other services behind the ports that the use cases know."""

import asyncio
import uuid
from collections.abc import Awaitable
from typing import TypeVar

import grpc
from dashtrack.auth.internal.v1 import security_service_pb2
from dashtrack.auth.internal.v1.security_service_pb2_grpc import SecurityServiceStub
from dashtrack.telemetry.internal.v1 import census_service_pb2
from dashtrack.telemetry.internal.v1.census_service_pb2_grpc import CensusServiceStub
from dashtrack.users.internal.v1 import people_service_pb2
from dashtrack.users.internal.v1.people_service_pb2_grpc import PeopleServiceStub

from services.chassis.absence import is_away
from services.chassis.errors import Unavailable
from services.companies.codec.dashboards import decode_device_counts, decode_login_figures
from services.companies.codec.people import decode_people_counts, decode_standing
from services.companies.domain.dashboards import DeviceFigures, LoginFigures, PeopleFigures
from services.companies.domain.fleet_errors import UserNotFound
from services.companies.domain.people import Person

T = TypeVar("T")

# A person waits for the answer; a directory that needs longer than this is as good as away.
_STANDING_TIMEOUT_S = 2.0
# A dashboard goes without what takes longer.
_CENSUS_TIMEOUT_S = 0.8


class GrpcPersonDirectory:
    """Asks users how people stand."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = PeopleServiceStub(channel)

    async def get(self, company_id: uuid.UUID, user_id: uuid.UUID) -> Person:
        """Ask how a person of a company stands."""
        request = people_service_pb2.GetPersonStandingRequest(
            company_id=str(company_id), user_id=str(user_id)
        )
        try:
            standing = await self._stub.GetPersonStanding(request, timeout=_STANDING_TIMEOUT_S)
        except grpc.aio.AioRpcError as err:
            if err.code() is grpc.StatusCode.NOT_FOUND:
                raise UserNotFound(user_id) from err
            if is_away(err):
                message = "The directory of people does not answer."
                raise Unavailable(message) from err
            raise
        return decode_standing(company_id, standing)


class GrpcPeopleCensus:
    """Asks users how many people there are."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = PeopleServiceStub(channel)

    async def count(self, company_id: uuid.UUID) -> PeopleFigures:
        """Count a company's people."""
        request = people_service_pb2.CountPeopleRequest(company_id=str(company_id))
        call = self._stub.CountPeople(request, timeout=_CENSUS_TIMEOUT_S)
        return decode_people_counts(await _answered(call))


class GrpcDeviceCensus:
    """Asks telemetry how many devices there are."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = CensusServiceStub(channel)

    async def count(self, company_id: uuid.UUID) -> DeviceFigures:
        """Count a company's devices."""
        request = census_service_pb2.CountDevicesRequest(company_id=str(company_id))
        call = self._stub.CountDevices(request, timeout=_CENSUS_TIMEOUT_S)
        return decode_device_counts(await _answered(call))


class GrpcLoginCensus:
    """Asks auth how people log in."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = SecurityServiceStub(channel)

    async def count(self, company_id: uuid.UUID) -> LoginFigures:
        """Count how a company's people log in."""
        request = security_service_pb2.GetSecurityFiguresRequest(company_id=str(company_id))
        call = self._stub.GetSecurityFigures(request, timeout=_CENSUS_TIMEOUT_S)
        return decode_login_figures(await _answered(call))


async def _answered(call: Awaitable[T]) -> T:
    try:
        # The call's own limit begins once there is a service token, which auth may be slow with.
        async with asyncio.timeout(_CENSUS_TIMEOUT_S):
            return await call
    except (grpc.aio.AioRpcError, TimeoutError) as err:
        # Whatever is wrong over there, the rest of the dashboard is not the worse for it.
        message = "A part of the dashboard does not answer."
        raise Unavailable(message) from err
