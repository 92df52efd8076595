"""The users service behind the port that the use cases know."""

import uuid

import grpc
from dashtrack.users.internal.v1 import address_service_pb2 as pb
from dashtrack.users.internal.v1.address_service_pb2_grpc import AddressServiceStub

from services.auth.domain.email_changes import EmailTaken, PersonGone
from services.chassis.absence import is_away
from services.chassis.errors import EditConflict, Unavailable

# A person waits for the answer; what takes longer is carried out later.
_TIMEOUT_S = 3.0


class GrpcAddressBook:
    """Asks users' internal address service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = AddressServiceStub(channel)

    async def change(self, user_id: uuid.UUID, from_email: str, to_email: str) -> None:
        """Give a person an address that they have proven."""
        request = pb.ChangeEmailRequest(
            user_id=str(user_id), from_email=from_email, to_email=to_email
        )
        try:
            await self._stub.ChangeEmail(request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as err:
            if is_away(err):
                message = "The address is confirmed, and is changed as soon as possible."
                raise Unavailable(message) from err
            match err.code():
                case grpc.StatusCode.ALREADY_EXISTS:
                    raise EmailTaken from err
                case grpc.StatusCode.NOT_FOUND | grpc.StatusCode.FAILED_PRECONDITION:
                    raise PersonGone from err
                case grpc.StatusCode.ABORTED:
                    message = "The e-mail address has changed meanwhile."
                    raise EditConflict(message) from err
            raise
