"""A company and its first administrator come into being, whoever dies on the way."""

import pytest
from dashtrack.options.v1 import options_pb2

from tests.fixtures.shutting_out import RealServices
from tests.fixtures.system import System
from tests.sagas.faults import CUTS, Cut, Standstill, cut_around_publishing
from tests.sagas.tenants import accept, add_company, add_person, log_in, unique

pytestmark = pytest.mark.timeout(120)

KNOWN_TO_AUTH = Standstill(
    service="auth",
    table="companies",
    statement="INSERT INTO companies",
    evidence="SELECT 1 FROM companies WHERE company_id = $1 AND version = 1",
    durable="auth-companies-changed",
)
KNOWN_TO_TELEMETRY = Standstill(
    service="telemetry",
    table="company",
    statement="INSERT INTO company ",
    evidence="SELECT 1 FROM company WHERE company_id = $1 AND version = 1",
    durable="telemetry-companies-changed",
)
INVITED = Standstill(
    service="auth",
    table="mails",
    statement="INSERT INTO mails",
    evidence="SELECT 1 FROM credentials WHERE user_id = $1 AND status = 'invited'",
    durable="auth-users-changed",
)


def assert_known(system: System, company_id: str) -> None:
    """Make sure that everybody knows a company, which was announced once."""
    system.settle()
    for known in (KNOWN_TO_AUTH, KNOWN_TO_TELEMETRY):
        assert known.passed(system, company_id), known
    assert [event.message.version for event in system.events.about(company_id)] == [1]


def assert_invited_once(system: System, services: RealServices, email: str, user_id: str) -> None:
    """Make sure that a person got one invitation, and gets in with it."""
    # Whoever dies with a mail in hand leaves it to others a minute later: let that be now.
    system.databases.value("auth", "UPDATE mails SET due_at = now() RETURNING 1")
    system.settle()
    assert [event.message.version for event in system.events.about(user_id)] == [1]
    assert len(services.mailbox.mails_for(email)) == 1
    assert accept(services, email).user_id == user_id
    assert log_in(services, email).user_id == user_id


def test_a_company_is_announced_by_whoever_comes_after(
    system: System, services: RealServices
) -> None:
    """Companies dies between its commit and the event, and tells of the company later, once."""
    company_id = cut_around_publishing(
        system, "companies", lambda: add_company(services, unique("company"))
    )

    assert_known(system, company_id)


@pytest.mark.parametrize("cut", CUTS)
def test_a_company_becomes_known(system: System, services: RealServices, cut: Cut) -> None:
    """Who hears of it dies in the middle of it, or before saying so, and knows it all the same."""
    places = (KNOWN_TO_AUTH, KNOWN_TO_TELEMETRY)
    company_id = cut(system, places, lambda: add_company(services, unique("company")))

    assert_known(system, company_id)


@pytest.mark.parametrize("cut", [None, *CUTS])
def test_the_first_administrator_is_invited_once(
    system: System, services: RealServices, cut: Cut | None
) -> None:
    """Users dies before the event, or auth at it: there is one mail, and its code works."""
    company_id, email = add_company(services, unique("company")), f"{unique('first')}@example.com"

    def invite() -> str:
        return add_person(services, company_id, email, options_pb2.ROLE_COMPANY_ADMIN)

    if cut is None:
        user_id = cut_around_publishing(system, "users", invite)
    else:
        user_id = cut(system, [INVITED], invite)

    assert_invited_once(system, services, email, user_id)
