"""What every service asks auth for: its own service token, and what was revoked."""

import asyncio
import time
import uuid

import grpc
from dashtrack.auth.internal.v1 import token_service_pb2, token_service_pb2_grpc
from grpc.aio import Channel

from services.chassis.errors import Unavailable
from services.chassis.revocations import Revocation, RevocationPage
from services.chassis.settings import ServiceSettings

ISSUE_SERVICE_TOKEN = "/dashtrack.auth.internal.v1.TokenService/IssueServiceToken"  # noqa: S105 - a method's path

_TIMEOUT_S = 3.0
_EARLY_SHARE = 0.2
_EARLY_MAX_S = 60.0
_AGAIN_AFTER_S = 1.0


class ServiceTokens:
    """The token that this service calls others with, renewed a while before it expires."""

    def __init__(self, settings: ServiceSettings, name: str) -> None:
        """Exchange the secret from the settings under the service's name."""
        self._request = token_service_pb2.IssueServiceTokenRequest(
            service=name, secret=settings.service_secret.get_secret_value()
        )
        self._token = ""
        self._renew_at_s = 0.0
        self._expires_at_s = 0.0
        self._lock = asyncio.Lock()

    async def token(self, auth: Channel) -> str:
        """Return a token that is good for the next while.

        Raises:
            Unavailable: auth can't issue one now.
        """
        if time.time() < self._renew_at_s:
            return self._token
        async with self._lock:
            if time.time() >= self._renew_at_s:
                try:
                    await self._renew(auth)
                except Unavailable:
                    now_s = time.time()
                    if now_s >= self._expires_at_s:
                        raise
                    # Renewed early just for this: while auth is away, a good token goes on working.
                    self._renew_at_s = now_s + _AGAIN_AFTER_S
        return self._token

    def forget(self, token: str) -> None:
        """Get a new token next time: this one was refused before it expired."""
        if token == self._token:
            self._renew_at_s = self._expires_at_s = 0.0

    async def _renew(self, auth: Channel) -> None:
        stub = token_service_pb2_grpc.TokenServiceStub(auth)
        try:
            issued = await stub.IssueServiceToken(self._request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as err:
            raise Unavailable(f"No service token: auth answers {err.code().name}.") from err
        now_s = time.time()
        self._expires_at_s = issued.expire_time.ToMicroseconds() / 1e6
        life_s = self._expires_at_s - now_s
        self._token = issued.token
        self._renew_at_s = now_s + life_s - min(_EARLY_MAX_S, life_s * _EARLY_SHARE)


class RemoteRevocations:
    """The list of revocations, read from auth."""

    def __init__(self, auth: Channel) -> None:
        """Read through this channel."""
        self._stub = token_service_pb2_grpc.TokenServiceStub(auth)

    async def __call__(self, position: str) -> RevocationPage:
        """List what was revoked after a position.

        Raises:
            Unavailable: auth doesn't tell.
        """
        request = token_service_pb2.ListRevocationsRequest(after=position)
        try:
            response = await self._stub.ListRevocations(request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as err:
            raise Unavailable(f"No revocations: auth answers {err.code().name}.") from err
        return RevocationPage(
            revocations=[_revocation(item) for item in response.revocations],
            next_position=response.next_position,
            more=response.more,
        )


def _revocation(item: token_service_pb2.Revocation) -> Revocation:
    return Revocation(
        session_id=uuid.UUID(item.session_id) if item.session_id else None,
        subject=item.subject or None,
        revoked_at_s=item.revoke_time.ToMicroseconds() / 1e6,
        expires_at_s=item.expire_time.ToMicroseconds() / 1e6,
        company_id=uuid.UUID(item.company_id) if item.company_id else None,
    )
