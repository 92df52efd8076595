"""Authenticators, on real servers."""

import base64
import time
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from dashtrack.auth.v1 import auth_service_pb2 as pb
from dashtrack.auth.v1 import authenticator_pb2
from dashtrack.options.v1 import options_pb2
from grpc import StatusCode

from services.auth.domain.totp import totp_code
from tests.fixtures.refusals import refused
from tests.fixtures.tokens import bearer
from tests.fixtures.waiting import eventually

PASSWORD = "a long enough password"
SVG = "{http://www.w3.org/2000/svg}svg"


class Person:
    """Somebody real, and what their authenticator shows."""

    def __init__(self, people: Any) -> None:
        self.stub = people.stub
        self.event, self.session = people.join()
        self.secret = b""

    def call(self, name: str, request: Any) -> Any:
        """Call as this person."""
        return getattr(self.stub, name)(request, metadata=bearer(self.session.access_token))

    def enroll(self) -> authenticator_pb2.TotpEnrollment:
        """Get a secret."""
        enrollment: authenticator_pb2.TotpEnrollment = self.call(
            "EnrollTotp", authenticator_pb2.EnrollTotpRequest(current_password=PASSWORD)
        )
        self.secret = base64.b32decode(enrollment.secret)
        return enrollment

    def code(self, steps: int = 0) -> str:
        """Read the authenticator; codes of neighbouring steps are accepted too."""
        return totp_code(self.secret, int(time.time()) // 30 + steps)

    def confirm(self) -> list[str]:
        """Turn the authenticator on, with the earliest code that is accepted."""
        request = authenticator_pb2.ConfirmTotpRequest(totp_code=self.code())
        return list(self.call("ConfirmTotp", request).backup_codes)

    def log_in(self, **codes: str) -> pb.Session:
        """Log in with the right password."""
        session: pb.Session = self.stub.Login(
            pb.LoginRequest(email=self.event.email, password=PASSWORD, **codes)
        )
        return session


@pytest.fixture
def person(people: Any) -> Person:
    """Somebody new."""
    return Person(people)


def test_an_authenticator_is_enrolled_confirmed_and_asked_for(person: Person) -> None:
    """With a link and an image that hold the secret; a code works once."""
    enrollment = person.enroll()
    assert enrollment.secret in enrollment.otpauth_uri
    assert ET.fromstring(enrollment.qr_svg).tag == SVG  # noqa: S314 - our own image
    assert person.log_in().access_token

    backup_codes = person.confirm()

    with refused(StatusCode.UNAUTHENTICATED, "TWO_FACTOR_REQUIRED"):
        person.log_in()
    following = person.code(1)
    assert person.log_in(totp_code=following).user_id == person.event.user_id
    with refused(StatusCode.UNAUTHENTICATED, "TWO_FACTOR_INVALID"):
        person.log_in(totp_code=following)
    assert person.log_in(backup_code=backup_codes[0]).access_token
    with refused(StatusCode.UNAUTHENTICATED, "TWO_FACTOR_INVALID"):
        person.log_in(backup_code=backup_codes[0])
    with refused(StatusCode.FAILED_PRECONDITION, "TOTP_ENABLED"):
        person.enroll()


def test_backup_codes_are_replaced_and_the_authenticator_is_disabled(person: Person) -> None:
    """With password and code; what was replaced is worth nothing."""
    person.enroll()
    first, second, *_ = person.confirm()
    fresh = person.call(
        "RegenerateBackupCodes",
        authenticator_pb2.RegenerateBackupCodesRequest(
            current_password=PASSWORD, backup_code=first
        ),
    ).backup_codes
    with refused(StatusCode.UNAUTHENTICATED, "TWO_FACTOR_INVALID"):
        person.log_in(backup_code=second)

    def disable(password: str = PASSWORD, **codes: str) -> None:
        request = authenticator_pb2.DisableTotpRequest(current_password=password, **codes)
        person.call("DisableTotp", request)

    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        disable("wrong", backup_code=fresh[0])
    with refused(StatusCode.UNAUTHENTICATED, "TWO_FACTOR_REQUIRED"):
        disable()
    disable(backup_code=fresh[0])

    assert person.log_in().access_token
    with refused(StatusCode.FAILED_PRECONDITION, "TOTP_NOT_ENROLLED"):
        disable(backup_code=fresh[1])


@pytest.mark.parametrize("code", ["\0", "ßßßßßß", "12345678901234"])
def test_any_text_may_be_tried_as_a_code(person: Person, code: str) -> None:
    """It is wrong."""
    with refused(StatusCode.FAILED_PRECONDITION, "TOTP_NOT_ENROLLED"):
        person.call("ConfirmTotp", authenticator_pb2.ConfirmTotpRequest(totp_code=code))
    person.enroll()
    with refused(StatusCode.UNAUTHENTICATED, "TWO_FACTOR_INVALID"):
        person.call("ConfirmTotp", authenticator_pb2.ConfirmTotpRequest(totp_code=code))
    person.confirm()

    for codes in ({"totp_code": code}, {"backup_code": code}):
        with refused(StatusCode.UNAUTHENTICATED, "TWO_FACTOR_INVALID"):
            person.log_in(**codes)


def test_a_company_can_demand_a_second_factor(person: Person, companies: Any, people: Any) -> None:
    """Without one, a session is good for enrolling it and for logging out, and then for all."""
    companies.tell(person.event.company_id, two_factor_roles=[person.session.role])

    def is_restricted() -> bool:
        person.session = person.log_in()
        return bool(person.session.restriction == options_pb2.RESTRICTION_TWO_FACTOR_ENROLLMENT)

    eventually(is_restricted, "the rule")
    with refused(StatusCode.PERMISSION_DENIED, "TWO_FACTOR_ENROLLMENT_REQUIRED"):
        person.call("ListSessions", pb.ListSessionsRequest())
    person.enroll()
    backup_codes = person.confirm()
    with refused(StatusCode.PERMISSION_DENIED, "TWO_FACTOR_ENROLLMENT_REQUIRED"):
        person.call("ListSessions", pb.ListSessionsRequest())

    person.session = people.refresh(person.session)

    assert not person.session.restriction
    assert person.call("ListSessions", pb.ListSessionsRequest()).sessions
    with refused(StatusCode.FAILED_PRECONDITION, "TWO_FACTOR_MANDATORY"):
        person.call(
            "DisableTotp",
            authenticator_pb2.DisableTotpRequest(
                current_password=PASSWORD, backup_code=backup_codes[0]
            ),
        )
    assert not person.log_in(backup_code=backup_codes[0]).restriction


def test_who_only_may_enrol_can_log_out(person: Person, companies: Any) -> None:
    """Which ends the session as ever."""
    companies.tell(person.event.company_id, two_factor_roles=[person.session.role])

    def is_restricted() -> bool:
        person.session = person.log_in()
        return bool(person.session.restriction)

    eventually(is_restricted, "the rule")
    person.call("Logout", pb.LogoutRequest())

    request = pb.RefreshSessionRequest(refresh_token=person.session.refresh_token)
    with refused(StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID"):
        person.stub.RefreshSession(request)


def test_a_secret_is_not_guessed_by_confirming_it(person: Person) -> None:
    """A few wrong codes, and it is gone."""
    person.enroll()
    code = person.code()
    for _ in range(5):
        with refused(StatusCode.UNAUTHENTICATED, "TWO_FACTOR_INVALID"):
            person.call("ConfirmTotp", authenticator_pb2.ConfirmTotpRequest(totp_code="abcdef"))

    with refused(StatusCode.FAILED_PRECONDITION, "TOTP_NOT_ENROLLED"):
        person.call("ConfirmTotp", authenticator_pb2.ConfirmTotpRequest(totp_code=code))
