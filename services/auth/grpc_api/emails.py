"""EmailService: decode a call, run its use case, encode the outcome."""

from dataclasses import dataclass
from typing import Any

from dashtrack.auth.v1 import email_service_pb2 as pb
from dashtrack.auth.v1.email_service_pb2_grpc import EmailServiceServicer
from google.protobuf.empty_pb2 import Empty

from services.auth.grpc_api.origins import origin_of, session_owner
from services.auth.usecases.email_changes import (
    ConfirmEmail,
    RequestEmailChange,
    RequestEmailVerification,
)
from services.chassis.identity import current_caller

EMAIL_SERVICE = pb.DESCRIPTOR.services_by_name["EmailService"].full_name


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailUseCases:
    """What people ask of auth about their addresses."""

    request_change: RequestEmailChange
    request_verification: RequestEmailVerification
    confirm: ConfirmEmail


class EmailServicer(EmailServiceServicer):
    """Serves people."""

    def __init__(self, usecases: EmailUseCases, proxies_trusted: int) -> None:
        self._usecases = usecases
        self._proxies_trusted = proxies_trusted

    async def RequestEmailChange(
        self, request: pb.RequestEmailChangeRequest, context: Any
    ) -> Empty:
        owner = session_owner(context, self._proxies_trusted)
        await self._usecases.request_change(owner, request.new_email, request.current_password)
        return Empty()

    async def RequestEmailVerification(
        self, request: pb.RequestEmailVerificationRequest, context: Any
    ) -> Empty:
        origin = origin_of(context, self._proxies_trusted)
        await self._usecases.request_verification(current_caller().user_id, origin)
        return Empty()

    async def ConfirmEmail(self, request: pb.ConfirmEmailRequest, context: Any) -> Empty:
        await self._usecases.confirm(current_caller().user_id, request.email_code)
        return Empty()
