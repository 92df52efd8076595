"""Companies that are suspended, resumed and deleted, on real servers."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import urlopen

import grpc
import nats
import pytest
from dashtrack.auth.internal.v1 import token_service_pb2 as tokens_pb
from dashtrack.auth.v1 import auth_service_pb2 as pb
from dashtrack.companies.v1.company_events_pb2 import CompanyErased
from grpc import StatusCode

from tests.fixtures.nats import NatsServer
from tests.fixtures.refusals import refusal_of, refused
from tests.fixtures.running import run_async
from tests.fixtures.serving import ServedService
from tests.fixtures.tokens import bearer
from tests.fixtures.waiting import eventually

SUSPENDED = "STATE_SUSPENDED"


def login_refused(people: Any, email: str) -> str:
    """Try to log in, and return why not."""
    try:
        people.login(email)
    except grpc.RpcError as err:
        return refusal_of(err).reason
    return ""


def eventually_login(people: Any, email: str, reason: str) -> None:
    """Wait until a login is refused for a reason, or for none isn't."""
    eventually(lambda: login_refused(people, email) == reason, f"{reason or 'success'} of a login")


def list_sessions(people: Any, session: pb.Session) -> Any:
    """Use an access token."""
    return people.stub.ListSessions(pb.ListSessionsRequest(), metadata=bearer(session.access_token))


def test_a_suspension_shuts_people_and_boards_out_until_it_ends(
    people: Any, companies: Any, tokens_stub: Any, as_telemetry: Any
) -> None:
    """Tokens, refreshes, logins and boards' tokens are refused; then people log in again."""
    event, session = people.join()
    other, other_session = people.join()
    board = tokens_pb.IssueDeviceTokenRequest(
        device_id=str(uuid.uuid4()), company_id=event.company_id
    )
    companies.tell(event.company_id, SUSPENDED)
    eventually_login(people, event.email, "COMPANY_SUSPENDED")

    with refused(StatusCode.PERMISSION_DENIED, "COMPANY_SUSPENDED"):
        people.login(event.email)
    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        people.login(event.email, "not the password")
    with refused(StatusCode.PERMISSION_DENIED, "COMPANY_SUSPENDED"):
        people.refresh(session)
    with refused(StatusCode.PERMISSION_DENIED, "COMPANY_SUSPENDED"):
        tokens_stub.IssueDeviceToken(board, metadata=as_telemetry)
    eventually(lambda: ended(people, session), "the end of the token")
    assert list_sessions(people, other_session).sessions

    companies.tell(event.company_id)
    eventually_login(people, event.email, "")
    assert tokens_stub.IssueDeviceToken(board, metadata=as_telemetry).token
    with refused(StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED"):
        list_sessions(people, session)
    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        people.refresh(session)
    again = people.login(event.email)
    shown = eventually(lambda: only_live(people, again), "the end of the earlier sessions")
    assert shown
    assert people.login(other.email).user_id == other.user_id


def ended(people: Any, session: pb.Session) -> bool:
    """Tell whether an access token is revoked."""
    try:
        list_sessions(people, session)
    except grpc.RpcError as err:
        return refusal_of(err).reason == "TOKEN_REVOKED"
    return False


def only_live(people: Any, session: pb.Session) -> bool:
    """Tell whether somebody's sessions that can't go on are not shown, and this one is."""
    shown = list_sessions(people, session).sessions
    return any(row.current for row in shown) and len(shown) <= 2


def test_a_suspension_is_counted(people: Any, companies: Any, auth_service: ServedService) -> None:
    """Among the failures, under its own reason."""

    def counted() -> float:
        with urlopen(f"{auth_service.http_url}/metrics") as answer:  # noqa: S310 - loopback
            text = answer.read().decode()
        name = 'auth_failures_total{reason="company_suspended"} '
        return float(text.partition(f"\n{name}")[2].partition("\n")[0])

    event, _ = people.join()
    companies.tell(event.company_id, SUSPENDED)
    eventually_login(people, event.email, "COMPANY_SUSPENDED")
    before = counted()

    login_refused(people, event.email)

    assert counted() == before + 1


def test_an_invitation_waits_for_the_end_of_a_suspension(people: Any, companies: Any) -> None:
    """It is refused, and works later."""
    event = people.event()
    people.publish(event)
    request = pb.AcceptInvitationRequest(
        invitation_code=people.site.code_for(event.email), password="a long enough password"
    )
    insider, _ = people.join(company_id=event.company_id)
    companies.tell(event.company_id, SUSPENDED)
    eventually_login(people, insider.email, "COMPANY_SUSPENDED")

    with refused(StatusCode.PERMISSION_DENIED, "COMPANY_SUSPENDED"):
        people.stub.AcceptInvitation(request)
    companies.tell(event.company_id)
    eventually_login(people, insider.email, "")

    assert people.stub.AcceptInvitation(request).user_id == event.user_id


def test_logins_at_the_same_time_keep_to_the_cap(people: Any, companies: Any) -> None:
    """Those that are displaced are revoked; the last ones go on."""
    event, first = people.join()
    companies.tell(event.company_id, sessions_per_user_max=3)

    def is_capped() -> bool:
        people.login(event.email)
        return ended(people, first)

    eventually(is_capped, "the cap")
    with ThreadPoolExecutor(8) as pool:
        sessions = list(pool.map(lambda _: people.login(event.email), range(8)))

    eventually(
        lambda: sum(not ended(people, session) for session in sessions) == 3, "the end of others"
    )
    last = next(session for session in sessions if not ended(people, session))
    assert len(list_sessions(people, last).sessions) == 3


@pytest.fixture
def erased(nats_server: NatsServer) -> Iterator[list[str]]:
    """The companies that auth says it has erased, from now on."""
    seen: list[str] = []
    ready, stop = threading.Event(), threading.Event()

    async def listen() -> None:
        client = await nats.connect(
            nats_server.url, user=nats_server.user, password=nats_server.password
        )
        subscription = await client.subscribe("events.auth.company_erased")
        await client.flush()
        ready.set()
        while not stop.is_set():
            try:
                message = await subscription.next_msg(timeout=0.1)
            except TimeoutError:
                continue
            event = CompanyErased.FromString(message.data)
            assert event.service == "auth"
            assert event.occur_time.seconds
            seen.append(event.company_id)
        await client.close()

    thread = threading.Thread(target=run_async, args=(listen(),))
    thread.start()
    assert ready.wait(10)
    yield seen
    stop.set()
    thread.join(10)


def test_a_deleted_company_is_forgotten(people: Any, companies: Any, erased: list[str]) -> None:
    """Others' people stay; who asks again is told again; what comes late adds nobody."""
    event, _ = people.join()
    other, _ = people.join()
    companies.tell(event.company_id, SUSPENDED)
    deletion = companies.tell(event.company_id, "STATE_DELETING")

    eventually(lambda: erased == [event.company_id], "the erasure")
    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        people.login(event.email)
    assert people.login(other.email).user_id == other.user_id

    deletion.event_id = str(uuid.uuid4())
    people.publish(deletion)
    eventually(lambda: erased == [event.company_id] * 2, "the second answer")

    late = people.event(company_id=event.company_id)
    people.publish(late)
    following = people.event()
    people.publish(following)
    assert people.site.code_for(following.email)
    assert not people.site.codes_for(late.email)


def test_logins_and_refreshes_during_suspensions_wait_for_nobody_in_a_circle(
    people: Any, companies: Any
) -> None:
    """Each is answered as the company stood at some moment: no conflict, no failure."""
    event, _ = people.join()
    companies.tell(event.company_id, sessions_per_user_max=2)
    stop = threading.Event()
    reasons: set[str] = set()

    def come_and_go() -> None:
        while not stop.is_set():
            try:
                session = people.login(event.email)
                people.refresh(people.refresh(session))
            except grpc.RpcError as err:
                reasons.add(refusal_of(err).reason)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(come_and_go)
        try:
            for _ in range(6):
                companies.tell(event.company_id, SUSPENDED, sessions_per_user_max=2)
                companies.tell(event.company_id, sessions_per_user_max=2)
                eventually_login(people, event.email, "")
        finally:
            stop.set()

    assert reasons <= {"COMPANY_SUSPENDED", "REFRESH_TOKEN_INVALID"}
