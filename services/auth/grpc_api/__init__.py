"""AuthService and TokenService: decode a call, run its use case, encode the outcome."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dashtrack.auth.internal.v1 import token_service_pb2
from dashtrack.auth.internal.v1.token_service_pb2_grpc import TokenServiceServicer
from dashtrack.auth.v1 import auth_service_pb2 as pb
from dashtrack.auth.v1 import authenticator_pb2
from dashtrack.auth.v1.auth_service_pb2_grpc import AuthServiceServicer
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.empty_pb2 import Empty

from services.auth import codec
from services.auth.domain.sessions import Origin
from services.auth.domain.totp import Proof
from services.auth.grpc_api.origins import current_session_id, origin_of, session_owner
from services.auth.usecases.authenticators import (
    ConfirmTotp,
    DisableTotp,
    EnrollTotp,
    RegenerateBackupCodes,
)
from services.auth.usecases.own_sessions import ListSessions, LogoutEverywhere, RevokeSession
from services.auth.usecases.passwords import AcceptInvitation, ChangePassword, SessionOwner
from services.auth.usecases.proving import Claim
from services.auth.usecases.resets import RequestPasswordReset, ResetPassword
from services.auth.usecases.sessions import Login, Logout, RefreshSession
from services.auth.usecases.tokens import (
    IssueDeviceToken,
    IssueServiceToken,
    ListRevocations,
    RevokeSubject,
)
from services.chassis.identity import current_caller
from services.chassis.page_tokens import decode_page_start

AUTH_SERVICE = pb.DESCRIPTOR.services_by_name["AuthService"].full_name
TOKEN_SERVICE = token_service_pb2.DESCRIPTOR.services_by_name["TokenService"].full_name


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUseCases:
    """What people ask of auth."""

    login: Login
    refresh_session: RefreshSession
    logout: Logout
    logout_everywhere: LogoutEverywhere
    list_sessions: ListSessions
    revoke_session: RevokeSession
    accept_invitation: AcceptInvitation
    change_password: ChangePassword
    request_password_reset: RequestPasswordReset
    reset_password: ResetPassword
    enroll_totp: EnrollTotp
    confirm_totp: ConfirmTotp
    disable_totp: DisableTotp
    regenerate_backup_codes: RegenerateBackupCodes
    draw_qr: Callable[[str], str]
    key_set: Callable[[], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUseCases:
    """What other services ask of auth."""

    issue_service_token: IssueServiceToken
    issue_device_token: IssueDeviceToken
    revoke_subject: RevokeSubject
    list_revocations: ListRevocations


class AuthServicer(AuthServiceServicer):
    """Serves people."""

    def __init__(self, usecases: AuthUseCases, proxies_trusted: int) -> None:
        self._usecases = usecases
        self._proxies_trusted = proxies_trusted

    async def Login(self, request: pb.LoginRequest, context: Any) -> pb.Session:
        origin = self._origin(context)
        proof = Proof(request.totp_code, request.backup_code)
        grant = await self._usecases.login(request.email, request.password, proof, origin)
        return codec.encode_session(grant)

    async def RefreshSession(self, request: pb.RefreshSessionRequest, context: Any) -> pb.Session:
        origin = self._origin(context)
        grant = await self._usecases.refresh_session(request.refresh_token, origin)
        return codec.encode_session(grant)

    async def Logout(self, request: pb.LogoutRequest, context: Any) -> Empty:
        await self._usecases.logout(current_session_id())
        return Empty()

    async def LogoutEverywhere(self, request: pb.LogoutEverywhereRequest, context: Any) -> Empty:
        kept = current_session_id() if request.keep_current else None
        await self._usecases.logout_everywhere(current_caller().user_id, kept)
        return Empty()

    async def ListSessions(
        self, request: pb.ListSessionsRequest, context: Any
    ) -> pb.ListSessionsResponse:
        user_id = current_caller().user_id
        page = await self._usecases.list_sessions(
            user_id,
            before=decode_page_start(request),
            limit=request.page_size or codec.PAGE_SIZE_DEFAULT,
        )
        return codec.encode_page(page, request, current_session_id())

    async def RevokeSession(self, request: pb.RevokeSessionRequest, context: Any) -> Empty:
        session_id = uuid.UUID(request.session_id)
        await self._usecases.revoke_session(current_caller().user_id, session_id)
        return Empty()

    async def AcceptInvitation(
        self, request: pb.AcceptInvitationRequest, context: Any
    ) -> pb.Session:
        grant = await self._usecases.accept_invitation(
            request.invitation_code, request.password, self._origin(context)
        )
        return codec.encode_session(grant)

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: Any) -> Empty:
        owner = self._owner(context)
        await self._usecases.change_password(owner, request.current_password, request.new_password)
        return Empty()

    async def RequestPasswordReset(
        self, request: pb.RequestPasswordResetRequest, context: Any
    ) -> Empty:
        await self._usecases.request_password_reset(request.email, self._origin(context))
        return Empty()

    async def ResetPassword(self, request: pb.ResetPasswordRequest, context: Any) -> Empty:
        await self._usecases.reset_password(
            request.email, request.reset_code, request.new_password, self._origin(context)
        )
        return Empty()

    async def EnrollTotp(
        self, request: authenticator_pb2.EnrollTotpRequest, context: Any
    ) -> authenticator_pb2.TotpEnrollment:
        owner = self._owner(context)
        enrollment = await self._usecases.enroll_totp(owner, request.current_password)
        return codec.encode_enrollment(enrollment, self._usecases.draw_qr(enrollment.uri))

    async def ConfirmTotp(
        self, request: authenticator_pb2.ConfirmTotpRequest, context: Any
    ) -> authenticator_pb2.BackupCodes:
        user_id = current_caller().user_id
        codes = await self._usecases.confirm_totp(user_id, request.totp_code)
        return authenticator_pb2.BackupCodes(backup_codes=codes)

    async def DisableTotp(
        self, request: authenticator_pb2.DisableTotpRequest, context: Any
    ) -> Empty:
        proof = Proof(request.totp_code, request.backup_code)
        await self._usecases.disable_totp(
            Claim(self._owner(context), request.current_password, proof)
        )
        return Empty()

    async def RegenerateBackupCodes(
        self, request: authenticator_pb2.RegenerateBackupCodesRequest, context: Any
    ) -> authenticator_pb2.BackupCodes:
        proof = Proof(request.totp_code, request.backup_code)
        claim = Claim(self._owner(context), request.current_password, proof)
        codes = await self._usecases.regenerate_backup_codes(claim)
        return authenticator_pb2.BackupCodes(backup_codes=codes)

    async def GetJsonWebKeySet(self, request: pb.GetJsonWebKeySetRequest, context: Any) -> HttpBody:
        return codec.encode_key_set(self._usecases.key_set())

    def _owner(self, context: Any) -> SessionOwner:
        return session_owner(context, self._proxies_trusted)

    def _origin(self, context: Any) -> Origin:
        return origin_of(context, self._proxies_trusted)


class TokenServicer(TokenServiceServicer):
    """Serves other services."""

    def __init__(self, usecases: TokenUseCases) -> None:
        self._usecases = usecases

    async def IssueServiceToken(
        self, request: token_service_pb2.IssueServiceTokenRequest, context: Any
    ) -> token_service_pb2.IssuedToken:
        issued = self._usecases.issue_service_token(request.service, request.secret)
        return codec.encode_issued_token(issued)

    async def IssueDeviceToken(
        self, request: token_service_pb2.IssueDeviceTokenRequest, context: Any
    ) -> token_service_pb2.IssuedToken:
        issued = await self._usecases.issue_device_token(
            uuid.UUID(request.device_id), uuid.UUID(request.company_id)
        )
        return codec.encode_issued_token(issued)

    async def RevokeSubject(
        self, request: token_service_pb2.RevokeSubjectRequest, context: Any
    ) -> token_service_pb2.RevokeSubjectResponse:
        await self._usecases.revoke_subject(uuid.UUID(request.subject))
        return token_service_pb2.RevokeSubjectResponse()

    async def ListRevocations(
        self, request: token_service_pb2.ListRevocationsRequest, context: Any
    ) -> token_service_pb2.ListRevocationsResponse:
        position = codec.decode_position(request.after)
        return codec.encode_revocations(await self._usecases.list_revocations(position))
