"""What becomes of people's logins when users decides about them: users, auth and their events."""

from dashtrack.users.v1 import user_service_pb2 as pb
from grpc import StatusCode

from tests.fixtures.refusals import refused
from tests.fixtures.users_with_auth import Identity
from tests.fixtures.waiting import eventually


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


def test_the_deleted_can_be_had_back(identity: Identity) -> None:
    """Deletion ends tokens and logins; whoever is undeleted logs in with the old password."""
    user, session = identity.join()

    identity.call("DeleteUser", pb.DeleteUserRequest(user_id=user.user_id))

    identity.eventually_ended(session)
    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        identity.login(user.email)

    identity.call("UndeleteUser", pb.UndeleteUserRequest(user_id=user.user_id))

    assert identity.eventually_logs_in(user.email).user_id == user.user_id
    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        identity.refresh(session)


def test_the_purged_leave_nothing_personal(identity: Identity) -> None:
    """After the time is over neither service knows them, and their address is somebody else's."""
    user, session = identity.join()
    identity.call("DeleteUser", pb.DeleteUserRequest(user_id=user.user_id))
    identity.eventually_ended(session)
    assert not identity.is_gone(user.user_id)

    identity.query_users(
        "update users set purge_time = now() - interval '1 second' where user_id = $1",
        user.user_id,
    )

    eventually(lambda: identity.is_gone(user.user_id), "the purge")
    with refused(StatusCode.NOT_FOUND, "USER_NOT_FOUND"):
        identity.call("UndeleteUser", pb.UndeleteUserRequest(user_id=user.user_id))

    def is_known_to_auth() -> bool:
        tables = ("credentials", "sessions", "invitations", "mails")
        found = (f"select 1 from {table} where user_id = $1" for table in tables)  # noqa: S608
        return any(identity.query_auth(question, user.user_id) for question in found)

    eventually(lambda: not is_known_to_auth(), "the purge at auth")
    known = identity.site.codes_for(user.email)
    successor = identity.invite(user.email)
    code = identity.code(user.email, known)
    assert identity.accept(code).user_id == successor.user_id != user.user_id


def test_a_fresh_invitation_replaces_the_first(identity: Identity) -> None:
    """The new code works, the old one does not, and whoever has accepted is sent nothing more."""
    user = identity.invite()
    first = identity.code(user.email)
    request = pb.ResendInvitationRequest(user_id=user.user_id)
    long_ago = "update users set invite_time = now() - interval '1 day' where user_id = $1"
    identity.query_users(long_ago, user.user_id)

    invited = identity.call("ResendInvitation", request)

    second = identity.code(user.email, [first])
    assert invited.invite_time.ToDatetime() > user.invite_time.ToDatetime()
    with refused(StatusCode.FAILED_PRECONDITION, "INVITATION_INVALID"):
        identity.accept(first)
    assert identity.accept(second).user_id == user.user_id

    identity.query_users(long_ago, user.user_id)
    identity.call("ResendInvitation", request)
    # Events are taken in one after the other: once this one arrived, the one before has.
    identity.code(identity.invite().email)
    assert set(identity.site.codes_for(user.email)) == {first, second}
    assert identity.login(user.email).user_id == user.user_id
