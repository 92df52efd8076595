"""What tokens, passwords and sessions still open."""

import grpc
import pytest
from dashtrack.auth.v1 import auth_service_pb2 as auth_pb

from tests.fixtures.refusals import refusal_of, refused
from tests.fixtures.shutting_out import PASSWORD, RealServices, Token
from tests.fixtures.waiting import eventually

AUTH_SERVICE = "/dashtrack.auth.v1.AuthService/"
OPEN = {""}
"""What every service says to a token that it accepts."""


def answers(services: RealServices, token: Token) -> set[str]:
    """Return for which reasons services refuse a token, an empty one for those that don't."""
    reasons = set()
    for path, request in token.probes.items():
        try:
            services.call(path, request, token.text)
        except grpc.RpcError as err:
            reasons.add(refusal_of(err).reason)
        else:
            reasons.add("")
    return reasons


def eventually_revoked(services: RealServices, session: auth_pb.Session) -> None:
    """Wait until every service knows that a session's token was revoked."""
    token = Token(session.access_token)
    eventually(lambda: answers(services, token) == {"TOKEN_REVOKED"}, "the end of a token")


def assert_login_refused(
    services: RealServices, email: str, code: grpc.StatusCode, reason: str
) -> None:
    """Make sure that the right password opens nothing."""
    login = auth_pb.LoginRequest(email=email, password=PASSWORD)
    with refused(code, reason):
        services.call(AUTH_SERVICE + "Login", login, "")


def assert_refresh_refused(services: RealServices, session: auth_pb.Session) -> None:
    """Make sure that a session gets no further token."""
    refresh = auth_pb.RefreshSessionRequest(refresh_token=session.refresh_token)
    with pytest.raises(grpc.RpcError) as raised:
        services.call(AUTH_SERVICE + "RefreshSession", refresh, "")
    assert refusal_of(raised.value).code in {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    }
