"""What people do about where they are logged in, on real servers."""

import uuid
from typing import Any

import grpc
import pytest
from dashtrack.auth.v1 import auth_service_pb2 as pb
from dashtrack.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from grpc import StatusCode

from tests.fixtures.refusals import refusal_of, refused
from tests.fixtures.serving import ServedService
from tests.fixtures.tokens import bearer
from tests.fixtures.waiting import eventually

PASSWORD = "a long enough password"
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def sessions_of(people: Any, session: pb.Session, **page: Any) -> pb.ListSessionsResponse:
    """List the sessions of whoever has this one."""
    metadata = bearer(session.access_token)
    found: pb.ListSessionsResponse = people.stub.ListSessions(
        pb.ListSessionsRequest(**page), metadata=metadata
    )
    return found


def test_a_session_is_known_by_its_device_and_address(
    people: Any, auth_service: ServedService
) -> None:
    """What the gateway passes on of who calls; the one that asks is marked."""
    event, first = people.join()
    options = [("grpc.primary_user_agent", BROWSER)]
    with grpc.insecure_channel(auth_service.target, options) as channel:
        stub: Any = AuthServiceStub(channel)  # type: ignore[arg-type] # typed for aio channels
        second: pb.Session = stub.Login(
            pb.LoginRequest(email=event.email, password=PASSWORD),
            metadata=[("x-forwarded-for", "10.0.0.1, 203.0.113.7")],
        )

    newest, oldest = sessions_of(people, second).sessions

    assert (newest.device, newest.address) == ("Firefox on Windows", "203.0.113.7")
    assert (newest.current, oldest.current) == (True, False)
    assert oldest.device == "grpc-python"
    assert newest.create_time.ToMicroseconds() > oldest.create_time.ToMicroseconds()
    people.refresh(first)
    refreshed = sessions_of(people, second).sessions[1]
    assert refreshed.last_use_time.ToMicroseconds() > refreshed.create_time.ToMicroseconds()


def test_sessions_are_listed_page_by_page(people: Any) -> None:
    """A token gets the next page, of the sessions of whoever asks."""
    event, first = people.join()
    for _ in range(2):
        people.login(event.email)
    _, stranger = people.join()

    page = sessions_of(people, first, page_size=2)
    rest = sessions_of(people, first, page_size=2, page_token=page.next_page_token)

    found = [entry.session_id for entry in (*page.sessions, *rest.sessions)]
    assert found == sorted(set(found), reverse=True)
    assert (len(found), rest.next_page_token) == (3, "")
    with refused(StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"):
        sessions_of(people, first, page_token="made-up")
    foreign = sessions_of(people, stranger, page_size=2, page_token=page.next_page_token)
    assert not {entry.session_id for entry in foreign.sessions} & set(found)


def is_shut_out(people: Any, session: pb.Session) -> bool:
    """Tell whether a session's access token has stopped working."""
    try:
        sessions_of(people, session)
    except grpc.RpcError as err:
        return refusal_of(err).reason == "TOKEN_REVOKED"
    return False


def test_a_revoked_session_stops_working(people: Any) -> None:
    """Its refresh token at once, its access token soon; the other goes on."""
    event, session = people.join()
    other = people.login(event.email)
    (listed,) = [entry for entry in sessions_of(people, session).sessions if not entry.current]

    for _ in range(2):
        people.stub.RevokeSession(
            pb.RevokeSessionRequest(session_id=listed.session_id),
            metadata=bearer(session.access_token),
        )

    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        people.refresh(other)
    assert eventually(lambda: is_shut_out(people, other), "the end of the access token")
    assert [entry.current for entry in sessions_of(people, session).sessions] == [True]


def test_nobody_ends_the_session_of_somebody_else(people: Any) -> None:
    """Foreign sessions are refused exactly as those that don't exist."""
    _, session = people.join()
    _, stranger = people.join()
    (foreign,) = sessions_of(people, session).sessions

    for session_id in (foreign.session_id, str(uuid.uuid4())):
        request = pb.RevokeSessionRequest(session_id=session_id)
        with refused(StatusCode.NOT_FOUND, "SESSION_NOT_FOUND") as refusal:
            people.stub.RevokeSession(request, metadata=bearer(stranger.access_token))
        assert refusal.metadata == {"session_id": session_id}

    assert people.refresh(session).user_id == session.user_id


@pytest.mark.parametrize("keep_current", [True, False])
def test_logging_out_everywhere_ends_the_others(people: Any, *, keep_current: bool) -> None:
    """And the one that asks, unless it says otherwise."""
    event, session = people.join()
    other = people.login(event.email)

    people.stub.LogoutEverywhere(
        pb.LogoutEverywhereRequest(keep_current=keep_current),
        metadata=bearer(session.access_token),
    )

    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        people.refresh(other)
    if keep_current:
        assert people.refresh(session).user_id == event.user_id
    else:
        with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
            people.refresh(session)
