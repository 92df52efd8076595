"""A person who is deactivated is shut out, whoever dies on the way, and may come back."""

import grpc
import pytest
from dashtrack.options.v1 import options_pb2
from dashtrack.users.v1 import user_service_pb2 as users_pb

from tests.fixtures.shutting_out import RealServices, Token
from tests.fixtures.system import System
from tests.sagas.access import (
    OPEN,
    answers,
    assert_login_refused,
    assert_refresh_refused,
    eventually_revoked,
)
from tests.sagas.faults import CUTS, Cut, Standstill, cut_around_publishing
from tests.sagas.tenants import accept, add_company, add_person, log_in, unique

pytestmark = pytest.mark.timeout(120)

SHUT_OUT = Standstill(
    service="auth",
    table="revocations",
    statement="INSERT INTO revocations",
    evidence="SELECT 1 FROM credentials WHERE user_id = $1 AND status = 'deactivated'",
    durable="auth-users-changed",
)
_USERS = "/dashtrack.users.v1.UserService/"


@pytest.mark.parametrize("cut", [None, *CUTS])
def test_a_deactivated_person_is_shut_out_and_can_come_back(
    system: System, services: RealServices, cut: Cut | None
) -> None:
    """Users dies before the event, or auth at it: tokens and sessions end all the same."""
    email = f"{unique('leaver')}@example.com"
    company_id = add_company(services, unique("company"))
    user_id = add_person(services, company_id, email, options_pb2.ROLE_MANAGER)
    session = accept(services, email)
    assert answers(services, Token(session.access_token)) == OPEN

    def deactivate() -> str:
        request = users_pb.DeactivateUserRequest(user_id=user_id)
        services.call(_USERS + "DeactivateUser", request)
        return user_id

    if cut is None:
        cut_around_publishing(system, "users", deactivate)
    else:
        cut(system, [SHUT_OUT], deactivate)

    system.settle()
    eventually_revoked(services, session)
    assert_login_refused(services, email, grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")
    assert_refresh_refused(services, session)

    request = users_pb.ReactivateUserRequest(user_id=user_id)
    services.call(_USERS + "ReactivateUser", request)
    system.settle()
    assert answers(services, Token(log_in(services, email).access_token)) == OPEN
    eventually_revoked(services, session)
    assert [event.message.version for event in system.events.about(user_id)] == [1, 2, 3]
    assert len(services.mailbox.mails_for(email)) == 1
