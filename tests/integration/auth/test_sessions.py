"""Sessions as people see them, on real servers."""

import base64
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import jwt
import pytest
from dashtrack.auth.v1 import auth_service_pb2 as pb
from dashtrack.options.v1 import options_pb2
from grpc import StatusCode

from tests.fixtures.auth_service import FIRST_MASTER_PASSWORD, new_email
from tests.fixtures.people_and_companies import FIRST_MASTER_EMAIL
from tests.fixtures.refusals import Refusal, refusal_of, refused
from tests.fixtures.tokens import TokenMint, bearer
from tests.fixtures.waiting import eventually

PASSWORD = "a long enough password"
FORGED_SIGNATURE = base64.urlsafe_b64encode(bytes(64)).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, Any]:
    """Read a token without verifying it."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def outcome(call: Any) -> Any:
    """Return what a call answers, or how it was refused."""
    try:
        return call()
    except grpc.RpcError as err:
        return refusal_of(err)


def logout(people: Any, token: str) -> None:
    """End the session of a token."""
    people.stub.Logout(pb.LogoutRequest(), metadata=bearer(token))


def test_the_first_master_logs_in(people: Any) -> None:
    """A new system has an administrator, who belongs to no company."""
    session = people.login(FIRST_MASTER_EMAIL, FIRST_MASTER_PASSWORD)

    assert session.user_id == "00000000-0000-7000-8000-000000000001"
    assert (session.role, session.company_id) == (options_pb2.ROLE_MASTER, "")
    assert (session.token_type, session.expires_in_s) == ("Bearer", 900)
    assert "company_id" not in claims_of(session.access_token)


def test_a_session_says_who_somebody_is(people: Any) -> None:
    """In the answer and in the token alike."""
    event, _ = people.join(role=options_pb2.ROLE_DRIVER)

    session = people.login(event.email.upper())

    claims = claims_of(session.access_token)
    assert (session.user_id, claims["sub"]) == (event.user_id, event.user_id)
    assert (session.company_id, claims["company_id"]) == (event.company_id, event.company_id)
    assert (session.role, claims["role"]) == (options_pb2.ROLE_DRIVER, "driver")
    assert claims["exp"] - int(claims["iat"]) == 900
    assert (claims["iss"], claims["aud"]) == ("dashtrack", "dashtrack-api")
    assert uuid.UUID(claims["sid"]) != uuid.UUID(claims["jti"])


def test_wrong_and_unknown_are_refused_alike(people: Any) -> None:
    """Nobody learns who has an account."""
    event, _ = people.join()

    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID") as wrong:
        people.login(event.email, "not the password")
    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID") as unknown:
        people.login(new_email())

    assert wrong == unknown


@pytest.mark.parametrize("email", ["nul\0@example.com", "\u0000\u0000\u0000", "🙂🙂🙂", "' or 1=1"])
def test_any_text_may_be_tried_as_an_address(people: Any, email: str) -> None:
    """It is nobody's."""
    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        people.login(email)


def test_an_empty_login_is_malformed(people: Any) -> None:
    """The contract asks for both fields."""
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT") as refusal:
        people.stub.Login(pb.LoginRequest())

    assert refusal.fields == {"email", "password"}


def test_too_many_failures_are_throttled(people: Any) -> None:
    """The right password has to wait as well, and is told how long."""
    event, _ = people.join()
    for _ in range(10):
        with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
            people.login(event.email, "not the password")

    with refused(StatusCode.RESOURCE_EXHAUSTED, "LOGIN_THROTTLED") as refusal:
        people.login(event.email)

    assert refusal.retry_after_s is not None
    assert 0 < refusal.retry_after_s <= 90


def test_a_deactivated_person_is_shut_out(people: Any) -> None:
    """Password, refresh token and access token all stop working."""
    event, session = people.join()

    people.changed(event, active=False)

    def is_revoked() -> bool:
        refusal = outcome(lambda: logout(people, session.access_token))
        return isinstance(refusal, Refusal) and refusal.reason == "TOKEN_REVOKED"

    def is_ended() -> bool:
        refusal = outcome(lambda: people.login(event.email))
        return isinstance(refusal, Refusal) and refusal.reason == "CREDENTIALS_INVALID"

    eventually(is_ended, "the end of the password")
    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        people.refresh(session)
    eventually(is_revoked, "the end of the access token")


def test_a_session_goes_on_by_refreshing(people: Any) -> None:
    """Each token is new, the session stays."""
    _, first = people.join()

    second = people.refresh(first)

    assert second.refresh_token != first.refresh_token
    before, after = claims_of(first.access_token), claims_of(second.access_token)
    assert before["sid"] == after["sid"]
    assert before["jti"] != after["jti"]


def test_reuse_of_a_refresh_token_ends_the_family(people: Any) -> None:
    """The revocation is committed although the call is refused."""
    event, first = people.join()
    second = people.refresh(first)
    third = people.refresh(second)

    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_REUSED"):
        people.refresh(first)

    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        people.refresh(third)

    def is_revoked() -> bool:
        refusal = outcome(lambda: logout(people, third.access_token))
        return isinstance(refusal, Refusal) and refusal.reason == "TOKEN_REVOKED"

    eventually(is_revoked, "the end of the access token")
    mails = eventually(
        lambda: found if len(found := people.site.mails_for(event.email)) > 1 else None,
        "the mail about it",
    )
    assert len(mails) == 2


def test_of_parallel_refreshes_the_database_picks_one(people: Any) -> None:
    """All others are reuse, whichever arrives first."""
    _, session = people.join()

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(outcome, lambda: people.refresh(session)) for _ in range(8)]
        outcomes = [call.result() for call in calls]

    won = [answer for answer in outcomes if isinstance(answer, pb.Session)]
    lost = [answer.reason for answer in outcomes if isinstance(answer, Refusal)]
    assert len(won) == 1
    assert lost == ["REFRESH_TOKEN_REUSED"] * 7


@pytest.mark.parametrize("token", ["made up", "\0", "x" * 512])
def test_an_unknown_refresh_token_is_refused(people: Any, token: str) -> None:
    """Whatever it is."""
    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        people.stub.RefreshSession(pb.RefreshSessionRequest(refresh_token=token))


def test_logout_ends_the_session_and_its_tokens(people: Any) -> None:
    """The token that ended it is refused soon after; other sessions go on."""
    event, session = people.join()
    other = people.login(event.email)

    logout(people, session.access_token)

    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        people.refresh(session)

    def is_revoked() -> bool:
        refusal = outcome(lambda: logout(people, session.access_token))
        return isinstance(refusal, Refusal) and refusal.reason == "TOKEN_REVOKED"

    eventually(is_revoked, "the end of the access token")
    assert people.refresh(other).user_id == event.user_id


def test_a_changed_password_ends_other_sessions(people: Any) -> None:
    """The one that changed it stays."""
    event, session = people.join()
    other = people.login(event.email)
    request = pb.ChangePasswordRequest(
        current_password=PASSWORD, new_password="quite another password"
    )

    people.stub.ChangePassword(request, metadata=bearer(session.access_token))

    assert people.refresh(session).user_id == event.user_id
    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        people.refresh(other)
    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        people.login(event.email)
    assert people.login(event.email, "quite another password").user_id == event.user_id


@pytest.mark.parametrize(
    ("current", "new", "code", "reason"),
    [
        ("wrong", "quite another password", StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"),
        (PASSWORD, "short", StatusCode.INVALID_ARGUMENT, "PASSWORD_TOO_WEAK"),
        (PASSWORD, "password12345", StatusCode.INVALID_ARGUMENT, "PASSWORD_TOO_WEAK"),
    ],
)
def test_a_bad_change_of_password_changes_nothing(
    people: Any, current: str, new: str, code: StatusCode, reason: str
) -> None:
    """The old one goes on working."""
    event, session = people.join()
    request = pb.ChangePasswordRequest(current_password=current, new_password=new)

    with refused(code, reason):
        people.stub.ChangePassword(request, metadata=bearer(session.access_token))

    assert people.login(event.email).user_id == event.user_id


def test_tokens_of_another_signer_are_refused(people: Any, token_mint: TokenMint) -> None:
    """However well-formed they are."""
    _, session = people.join()
    claims = claims_of(session.access_token)
    genuine_kid = jwt.get_unverified_header(session.access_token)["kid"]
    stolen_kid = jwt.encode(
        claims, token_mint.private_key, algorithm="EdDSA", headers={"kid": genuine_kid}
    )
    header, body, signature = session.access_token.split(".")
    raised = base64.urlsafe_b64encode(json.dumps(claims | {"role": "master"}).encode())
    altered = ".".join([header, raised.rstrip(b"=").decode(), signature])
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": genuine_kid})
    blank = f"{header}.{body}.{FORGED_SIGNATURE}"

    for token in (stolen_kid, altered, unsigned, blank):
        with refused(StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"):
            logout(people, token)


def test_no_token_no_logout(people: Any) -> None:
    """The call needs one."""
    with refused(StatusCode.UNAUTHENTICATED, "TOKEN_MISSING"):
        people.stub.Logout(pb.LogoutRequest())
