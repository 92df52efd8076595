"""What may be used once is used once, however many try at the same time."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from dashtrack.auth.v1 import auth_service_pb2 as pb
from dashtrack.auth.v1 import authenticator_pb2

from services.auth.domain.mails import RESET_CODE_HEADER
from tests.fixtures.refusals import refusal_of, refused
from tests.fixtures.waiting import eventually
from tests.integration.auth.test_second_factors import Person

ATTEMPTS = 8
NEW_PASSWORD = "quite another password"
WON = ""


def at_once(call: Callable[[], Any]) -> tuple[Counter[str], list[Any]]:
    """Make a call so many times at the same time; count the reasons, and return the answers."""
    ready = threading.Barrier(ATTEMPTS)

    def attempt() -> tuple[str, Any]:
        ready.wait()
        try:
            return WON, call()
        except grpc.RpcError as err:
            return refusal_of(err).reason, None

    with ThreadPoolExecutor(ATTEMPTS) as pool:
        outcomes = [job.result() for job in [pool.submit(attempt) for _ in range(ATTEMPTS)]]
    answers = [answer for reason, answer in outcomes if reason == WON]
    return Counter(reason for reason, _ in outcomes), answers


def test_of_parallel_refreshes_one_wins_and_nobody_goes_on(people: Any) -> None:
    """The winner may be the thief: the family ends, whoever it was."""
    _, session = people.join()

    reasons, answers = at_once(lambda: people.refresh(session))

    assert reasons == {WON: 1, "REFRESH_TOKEN_REUSED": ATTEMPTS - 1}
    with refused(grpc.StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        people.refresh(answers[0])


def test_reuse_ends_one_session_and_no_other(people: Any) -> None:
    """Somebody's other sessions are families of their own."""
    event, session = people.join()
    other = people.login(event.email)

    at_once(lambda: people.refresh(session))

    assert people.refresh(other).user_id == event.user_id


def test_an_invitation_is_accepted_once(people: Any) -> None:
    """One sets the password; nobody else gets a session."""
    event = people.event()
    people.publish(event)
    code = people.site.code_for(event.email)
    request = pb.AcceptInvitationRequest(invitation_code=code, password=NEW_PASSWORD)

    reasons, _ = at_once(lambda: people.stub.AcceptInvitation(request))

    assert reasons == {WON: 1, "INVITATION_INVALID": ATTEMPTS - 1}


def test_a_reset_code_is_used_once(people: Any) -> None:
    """One sets the password, and it is that one's that holds."""
    event, _ = people.join()
    people.stub.RequestPasswordReset(pb.RequestPasswordResetRequest(email=event.email))
    codes = eventually(lambda: people.site.codes_for(event.email, RESET_CODE_HEADER), "the code")
    turns = iter(range(ATTEMPTS))

    def reset() -> str:
        password = f"quite another password {next(turns)}"
        people.stub.ResetPassword(
            pb.ResetPasswordRequest(email=event.email, reset_code=codes[0], new_password=password)
        )
        return password

    reasons, answers = at_once(reset)

    assert reasons[WON] == 1
    # Attempts are limited, so the last of them may not even be looked at.
    assert set(reasons) <= {WON, "RESET_CODE_INVALID", "LOGIN_THROTTLED"}
    assert people.login(event.email, answers[0]).user_id == event.user_id


def test_a_code_of_an_authenticator_is_used_once(people: Any) -> None:
    """Whoever looks over a shoulder comes too late, even by a millisecond."""
    person = Person(people)
    person.enroll()
    person.confirm()
    code = person.code(1)

    reasons, _ = at_once(lambda: person.log_in(totp_code=code))

    assert reasons == {WON: 1, "TWO_FACTOR_INVALID": ATTEMPTS - 1}


def test_the_code_that_turned_an_authenticator_on_is_spent(people: Any) -> None:
    """Confirming counts as using it."""
    person = Person(people)
    person.enroll()
    code = person.code()
    person.call("ConfirmTotp", authenticator_pb2.ConfirmTotpRequest(totp_code=code))

    reasons, _ = at_once(lambda: person.log_in(totp_code=code))

    assert reasons == {"TWO_FACTOR_INVALID": ATTEMPTS}


def test_a_backup_code_is_used_once(people: Any) -> None:
    """The others go on working."""
    person = Person(people)
    person.enroll()
    first, second, *_ = person.confirm()

    reasons, _ = at_once(lambda: person.log_in(backup_code=first))

    assert reasons == {WON: 1, "TWO_FACTOR_INVALID": ATTEMPTS - 1}
    assert person.log_in(backup_code=second).user_id == person.event.user_id
