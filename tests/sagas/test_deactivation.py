"""A person who is deactivated is shut out, whoever dies on the way, and may come back."""

import grpc
import pytest
from dashtrack.users.v1 import user_service_pb2 as users_pb

from tests.fixtures.shutting_out import RealServices
from tests.fixtures.system import System
from tests.sagas.access import (
    assert_login_refused,
    assert_refresh_refused,
    eventually_revoked,
)
from tests.sagas.faults import CUTS, Cut, Standstill, cut_around_publishing
from tests.sagas.tenants import DRIVER, log_in, new_tenant

pytestmark = pytest.mark.timeout(120)

SHUT_OUT = Standstill(
    service="auth",
    table="revocations",
    statement="INSERT INTO revocations",
    evidence="SELECT 1 FROM credentials WHERE user_id = $1 AND status = 'deactivated'",
    durable="auth-users-changed",
)
LEFT = Standstill(
    service="companies",
    table="team_memberships",
    statement="UPDATE team_memberships",
    evidence="SELECT 1 FROM people WHERE user_id = $1 AND NOT active",
    durable="companies-users-changed",
)
_TIMES = """
SELECT end_time IS NOT NULL FROM team_memberships WHERE user_id = $1
UNION ALL SELECT end_time IS NOT NULL FROM assignments WHERE user_id = $1
"""
_USERS = "/dashtrack.users.v1.UserService/"


def assert_told_once(system: System, user_id: str) -> None:
    """Make sure that each version of a person was announced once, and the deactivation is one."""
    events = system.events.about(user_id)
    told = [event.message for event in events if event.subject == "events.users.changed"]
    assert [person.version for person in told] == list(range(1, len(told) + 1))
    assert [person.active for person in told[-2:]] == [False, True]
    assert [person.active for person in told].count(False) == 1


@pytest.mark.parametrize("cut", [None, *CUTS])
def test_a_deactivated_person_is_shut_out_and_can_come_back(
    system: System, services: RealServices, cut: Cut | None
) -> None:
    """Users dies before the event, or auth and companies at it: all that they had ends once."""
    tenant = new_tenant(services)
    user_id, email = tenant.user_ids[DRIVER], tenant.emails[DRIVER]
    session = tenant.sessions[DRIVER]
    system.settle()

    def deactivate() -> str:
        request = users_pb.DeactivateUserRequest(user_id=user_id)
        services.call(_USERS + "DeactivateUser", request)
        return user_id

    if cut is None:
        cut_around_publishing(system, "users", deactivate)
    else:
        cut(system, [SHUT_OUT, LEFT], deactivate)

    system.settle()
    eventually_revoked(services, session)
    assert_login_refused(services, email, grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")
    assert_refresh_refused(services, session)
    assert [row[0] for row in system.databases.rows("companies", _TIMES, user_id)] == [True, True]

    request = users_pb.ReactivateUserRequest(user_id=user_id)
    services.call(_USERS + "ReactivateUser", request)
    system.settle()
    own = users_pb.GetCurrentUserRequest()
    fresh = log_in(services, email)
    assert services.call(_USERS + "GetCurrentUser", own, fresh.access_token).user_id == user_id
    eventually_revoked(services, session)
    assert_told_once(system, user_id)
    assert len(services.mailbox.codes_for(email)) == 1
