"""Following users over the event stream, on real servers."""

from typing import Any

import grpc
import pytest
from dashtrack.auth.v1 import auth_service_pb2 as pb
from dashtrack.options.v1 import options_pb2
from grpc import StatusCode

from tests.fixtures.refusals import refused
from tests.fixtures.waiting import eventually

PASSWORD = "a long enough password"


def accept(people: Any, code: str, password: str = PASSWORD) -> pb.Session:
    """Accept an invitation."""
    request = pb.AcceptInvitationRequest(invitation_code=code, password=password)
    session: pb.Session = people.stub.AcceptInvitation(request)
    return session


def test_a_redelivered_event_sends_one_mail(people: Any) -> None:
    """Whether the stream or the publisher repeats it."""
    event, following = people.event(), people.event()

    people.publish(event, times=3)
    people.publish(following)

    # Mail goes out in the order in which it was queued: what there was to send has been sent.
    assert people.site.code_for(following.email)
    assert len(people.site.codes_for(event.email)) == 1


def test_an_invited_person_can_not_log_in_before_accepting(people: Any) -> None:
    """They are told no more than anybody else."""
    event = people.event()
    people.publish(event)
    code = people.site.code_for(event.email)

    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        people.login(event.email)

    assert accept(people, code).user_id == event.user_id
    assert people.login(event.email).company_id == event.company_id


def test_an_invitation_works_once(people: Any) -> None:
    """Then the code is worth nothing."""
    event = people.event()
    people.publish(event)
    code = people.site.code_for(event.email)
    accept(people, code)

    with refused(StatusCode.FAILED_PRECONDITION, "INVITATION_INVALID"):
        accept(people, code, "quite another password")


@pytest.mark.parametrize("code", ["AAAA-BBBB", "\0", "ß" * 60])
def test_a_made_up_invitation_is_refused(people: Any, code: str) -> None:
    """Whatever it is."""
    with refused(StatusCode.FAILED_PRECONDITION, "INVITATION_INVALID"):
        accept(people, code)


def test_a_weak_password_can_be_bettered(people: Any) -> None:
    """The invitation stays open, and the field at fault is named."""
    event = people.event()
    people.publish(event)
    code = people.site.code_for(event.email)

    with refused(StatusCode.INVALID_ARGUMENT, "PASSWORD_TOO_WEAK") as refusal:
        accept(people, code, "short")

    assert refusal.fields == {"password"}
    assert accept(people, code).user_id == event.user_id


def test_a_new_role_is_in_the_next_token(people: Any) -> None:
    """The session goes on under it."""
    event, session = people.join(role=options_pb2.ROLE_COMPANY_ADMIN)
    people.changed(event, role=options_pb2.ROLE_HELPER)
    sessions = [session]

    def has_new_role() -> bool:
        sessions.append(people.refresh(sessions[-1]))
        return bool(sessions[-1].role == options_pb2.ROLE_HELPER)

    assert eventually(has_new_role, "the new role")


def test_an_older_change_that_comes_late_changes_nothing(people: Any) -> None:
    """The version decides, not the order of arrival."""
    event, _ = people.join(version=5)
    late = people.changed(event, version=4, active=False)
    people.publish(people.event(user_id=late.user_id, email=late.email, version=3, active=False))
    following = people.event()
    people.publish(following)
    people.site.code_for(following.email)

    assert people.login(event.email).user_id == event.user_id


def test_a_malformed_event_holds_nobody_up(people: Any) -> None:
    """It waits in the stream while others are taken in."""
    people.publish(people.event(role=99, company_id=""))
    event = people.event()
    people.publish(event)

    assert people.site.code_for(event.email)


def test_a_withdrawn_invitation_is_worth_nothing(people: Any) -> None:
    """A person who was deactivated before they accepted stays out."""
    event = people.event()
    people.publish(event)
    code = people.site.code_for(event.email)
    people.changed(event, active=False)

    def is_withdrawn() -> bool:
        try:
            accept(people, code, "short")
        except grpc.RpcError as err:
            return bool(err.code() is StatusCode.FAILED_PRECONDITION)
        return False

    eventually(is_withdrawn, "the end of the invitation")
    with refused(StatusCode.FAILED_PRECONDITION, "INVITATION_INVALID"):
        accept(people, code)
