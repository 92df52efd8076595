"""Passwords that their owners have forgotten, on real servers."""

from typing import Any

import httpx
import pytest
from dashtrack.auth.v1 import auth_service_pb2 as pb
from grpc import StatusCode

from services.auth.domain.mails import RESET_CODE_HEADER
from tests.fixtures.auth_service import new_email
from tests.fixtures.refusals import refused
from tests.fixtures.serving import ServedService
from tests.fixtures.waiting import eventually

NEW_PASSWORD = "quite another password"


def ask(people: Any, email: str) -> None:
    """Ask for a code."""
    people.stub.RequestPasswordReset(pb.RequestPasswordResetRequest(email=email))


def reset(people: Any, email: str, code: str, password: str = NEW_PASSWORD) -> None:
    """Set a new password."""
    people.stub.ResetPassword(
        pb.ResetPasswordRequest(email=email, reset_code=code, new_password=password)
    )


def code_for(people: Any, email: str) -> str:
    """Wait for the code that is mailed to an address."""
    found = eventually(lambda: people.site.codes_for(email, RESET_CODE_HEADER), f"mail to {email}")
    return str(found[0])


def test_a_forgotten_password_is_replaced(people: Any) -> None:
    """By whoever reads the mail, once; all sessions end, and another mail says so."""
    event, session = people.join()
    ask(people, event.email.upper())
    code = code_for(people, event.email)

    reset(people, event.email, code)

    assert people.login(event.email, NEW_PASSWORD).user_id == event.user_id
    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        people.login(event.email)
    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        people.refresh(session)
    with refused(StatusCode.FAILED_PRECONDITION, "RESET_CODE_INVALID"):
        reset(people, event.email, code)
    mails = eventually(
        lambda: found if len(found := people.site.mails_for(event.email)) == 3 else None,
        "the notice",
    )
    for mail in mails:
        assert mail.get_content_type() == "multipart/alternative"


def test_unknown_addresses_get_the_same_answer_and_no_mail(people: Any) -> None:
    """Nobody learns who has an account."""
    unknown = new_email()
    event, _ = people.join()

    ask(people, unknown)
    ask(people, event.email)

    # Requests are answered in their order: what there was to send to the first has been sent.
    assert code_for(people, event.email)
    assert people.site.mails_for(unknown) == []
    with refused(StatusCode.FAILED_PRECONDITION, "RESET_CODE_INVALID") as nobody:
        reset(people, unknown, "AAAA-BBBB-CCCC-DDDD")
    with refused(StatusCode.FAILED_PRECONDITION, "RESET_CODE_INVALID") as wrong:
        reset(people, event.email, "AAAA-BBBB-CCCC-DDDD")
    assert nobody == wrong


@pytest.mark.parametrize("text", ["nul\0@example.com", "🙂🙂🙂", "' or 1=1"])
def test_any_text_may_be_tried(people: Any, text: str) -> None:
    """As an address, and as a code."""
    ask(people, text)
    with refused(StatusCode.FAILED_PRECONDITION, "RESET_CODE_INVALID"):
        reset(people, text, text)


def test_a_weak_password_can_be_bettered(people: Any) -> None:
    """The code stays, and the field at fault is named."""
    event, _ = people.join()
    ask(people, event.email)
    code = code_for(people, event.email)

    with refused(StatusCode.INVALID_ARGUMENT, "PASSWORD_TOO_WEAK") as refusal:
        reset(people, event.email, code, "short")

    assert refusal.fields == {"new_password"}
    reset(people, event.email, code)


def test_asking_too_often_is_throttled(people: Any) -> None:
    """For addresses that nobody has as for others, and is told how long."""
    event, _ = people.join()
    for email in (event.email, new_email()):
        for _ in range(3):
            ask(people, email)
        with refused(StatusCode.RESOURCE_EXHAUSTED, "LOGIN_THROTTLED") as refusal:
            ask(people, email)
        assert refusal.retry_after_s is not None
        assert 0 < refusal.retry_after_s <= 1200


def test_requests_are_counted(people: Any, auth_service: ServedService) -> None:
    """Whether or not anybody has the address."""

    def counted() -> float:
        text = httpx.get(f"{auth_service.http_url}/metrics").text
        (line,) = [
            line for line in text.splitlines() if line.startswith("password_reset_requests_total ")
        ]
        return float(line.split()[1])

    before = counted()
    ask(people, new_email())

    assert counted() == before + 1
