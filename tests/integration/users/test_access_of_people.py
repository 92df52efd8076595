"""What becomes of people's logins when users decides about them: users, auth and their events."""

from dashtrack.users.v1 import user_service_pb2 as pb
from grpc import StatusCode

from tests.fixtures.refusals import refused
from tests.fixtures.users_with_auth import Identity


def test_access_ends_and_comes_back(identity: Identity) -> None:
    """Deactivation ends tokens and logins; reactivation gives the password back, no session."""
    user, session = identity.join()
    me = pb.GetCurrentUserRequest()
    assert identity.call("GetCurrentUser", me, session.access_token).user_id == user.user_id

    identity.call("DeactivateUser", pb.DeactivateUserRequest(user_id=user.user_id))

    identity.eventually_ended(session)
    with refused(StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED"):
        identity.call("GetCurrentUser", me, session.access_token)
    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        identity.login(user.email)

    identity.call("ReactivateUser", pb.ReactivateUserRequest(user_id=user.user_id))

    again = identity.eventually_logs_in(user.email)
    assert identity.call("GetCurrentUser", me, again.access_token).status == pb.User.STATUS_ACTIVE
    with refused(StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED"):
        identity.call("GetCurrentUser", me, session.access_token)
    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        identity.refresh(session)
