"""Nobody learns who has an account: not by an answer, and not by what it costs to make it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import pytest
from dashtrack.auth.v1 import auth_service_pb2 as pb

from services.auth.domain.mails import RESET_CODE_HEADER
from tests.fixtures.auth_service import new_email
from tests.fixtures.costs import CostRecorder, Costs
from tests.fixtures.refusals import Refusal, refusal_of, refused
from tests.fixtures.waiting import eventually

WRONG = "not the password at all"
NEW_PASSWORD = "quite another password"


def cost_of(recorder: CostRecorder, call: Callable[[], Any]) -> tuple[Costs, Refusal, str]:
    """Make a call; return what it cost, how it was refused, and the words that were used."""
    refusal, words = Refusal(), ""
    with recorder.recording() as costs:
        try:
            call()
        except grpc.RpcError as err:
            refusal, words = refusal_of(err), str(err.details())
    return costs, refusal, words


@pytest.fixture(scope="module")
def addresses(people: Any) -> dict[str, str]:
    """Addresses in every state that an account can be in."""
    active, _ = people.join()
    invited = people.event()
    people.publish(invited)
    people.site.code_for(invited.email)
    deactivated, session = people.join()
    people.changed(deactivated, active=False)

    def is_shut_out() -> bool:
        try:
            people.refresh(session)
        except grpc.RpcError:
            return True
        return False

    eventually(is_shut_out, "the deactivation")
    return {
        "active": active.email,
        "invited": invited.email,
        "deactivated": deactivated.email,
        "nobody's": new_email(),
        "no address": "' or 1=1 --",
    }


def test_logins_cost_the_same_whoever_they_are_of(
    people: Any, cost_recorder: CostRecorder, addresses: dict[str, str]
) -> None:
    """The same statements, one hash, and one answer."""
    found = {
        state: cost_of(cost_recorder, partial(people.login, address, WRONG))
        for state, address in addresses.items()
    }

    first, refusal, words = found["active"]
    assert first.hashes == 1
    assert refusal.reason == "CREDENTIALS_INVALID"
    for state, outcome in found.items():
        assert outcome == (first, refusal, words), state


def test_asking_for_a_reset_costs_the_same_whoever_it_is_for(
    people: Any, cost_recorder: CostRecorder, addresses: dict[str, str]
) -> None:
    """It is found out later, out of sight of whoever asked."""

    def ask(address: str) -> Callable[[], Any]:
        request = pb.RequestPasswordResetRequest(email=address)
        return lambda: people.stub.RequestPasswordReset(request)

    found = {state: cost_of(cost_recorder, ask(address)) for state, address in addresses.items()}

    first = found["active"]
    assert (first[0].hashes, first[1]) == (0, Refusal())
    assert first[0].statements
    for state, outcome in found.items():
        assert outcome == first, state


def test_a_wrong_reset_code_costs_the_same_whoever_it_is_of(
    people: Any, cost_recorder: CostRecorder, addresses: dict[str, str]
) -> None:
    """Whether a code is out, whether it was right once, whether there is an account at all."""
    waiting, _ = people.join()
    people.stub.RequestPasswordReset(pb.RequestPasswordResetRequest(email=waiting.email))
    eventually(
        lambda: people.site.codes_for(waiting.email, RESET_CODE_HEADER), "the code to be mailed"
    )

    def guess(address: str) -> Callable[[], Any]:
        request = pb.ResetPasswordRequest(
            email=address, reset_code="MFRG-GZDF-NBSW-Y3DP", new_password=NEW_PASSWORD
        )
        return lambda: people.stub.ResetPassword(request)

    found = {
        state: cost_of(cost_recorder, guess(address))
        for state, address in (addresses | {"waiting": waiting.email}).items()
    }

    first = found["waiting"]
    assert first[0].hashes == 1
    assert first[1].reason == "RESET_CODE_INVALID"
    for state, outcome in found.items():
        assert outcome == first, state


def test_a_password_that_is_too_weak_tells_nothing_of_an_account(
    people: Any, cost_recorder: CostRecorder, addresses: dict[str, str]
) -> None:
    """It is refused before anything is looked up."""
    for address in addresses.values():
        request = pb.ResetPasswordRequest(
            email=address, reset_code="MFRG-GZDF-NBSW-Y3DP", new_password="password"
        )
        costs, refusal, _ = cost_of(cost_recorder, partial(people.stub.ResetPassword, request))
        assert (costs, refusal.reason) == (Costs(), "PASSWORD_TOO_WEAK")


def test_invitations_that_do_not_work_cost_the_same(
    people: Any, cost_recorder: CostRecorder
) -> None:
    """A used one can't be told from one that never was."""
    event = people.event()
    people.publish(event)
    used = people.site.code_for(event.email)

    def accept(code: str) -> Callable[[], Any]:
        request = pb.AcceptInvitationRequest(invitation_code=code, password=NEW_PASSWORD)
        return lambda: people.stub.AcceptInvitation(request)

    accept(used)()
    made_up = used[::-1]

    assert cost_of(cost_recorder, accept(used)) == cost_of(cost_recorder, accept(made_up))


def test_being_throttled_tells_nothing_of_an_account(people: Any) -> None:
    """Guesses at nobody's account are limited like guesses at somebody's."""
    event, _ = people.join()
    outcomes = []
    for address in (event.email, new_email()):
        reasons = []
        for _ in range(12):
            try:
                people.login(address, WRONG)
            except grpc.RpcError as err:
                reasons.append(refusal_of(err).reason)
        outcomes.append(reasons)

    assert outcomes[0] == outcomes[1]
    assert outcomes[0][-1] == "LOGIN_THROTTLED"


def test_a_right_password_with_a_missing_code_is_the_first_to_say_so(people: Any) -> None:
    """That there is an authenticator is told to those alone who know the password."""
    event, _ = people.join()
    with refused(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        people.stub.Login(pb.LoginRequest(email=event.email, password=WRONG, totp_code="000000"))
