"""What people try to get in by is in the audit log, and the command line verifies it."""

import asyncio
import re
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from dashtrack.audit.v1 import audit_service_pb2 as audit
from dashtrack.audit.v1.audit_service_pb2_grpc import AuditServiceStub
from dashtrack.auth.v1 import auth_service_pb2 as pb
from prometheus_client import CollectorRegistry

from services.auth.commands import rotate_audit_key, verify_audit
from services.chassis.database import Database
from services.chassis.service import CommandFailed
from tests.fixtures.auth_service import FIRST_MASTER_PASSWORD, AuthSite, new_email
from tests.fixtures.people_and_companies import FIRST_MASTER_EMAIL
from tests.fixtures.running import run_async
from tests.fixtures.tokens import bearer
from tests.fixtures.waiting import eventually
from tests.integration.auth.conftest import PASSWORD, People

Find = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def find(grpc_channel: Any, people: People) -> Find:
    """Wait for records of a log, the platform's by default."""
    session = people.login(FIRST_MASTER_EMAIL, FIRST_MASTER_PASSWORD)
    stub: Any = AuditServiceStub(grpc_channel)

    def find(action: str, outcome: str, company_id: str = "") -> list[Any]:
        request = audit.ListAuditRecordsRequest(
            company_id=company_id,
            action=action if "/" in action else f"auth.AuthService/{action}",
            outcome=outcome,
        )

        def listed() -> list[Any]:
            page = stub.ListAuditRecords(request, metadata=bearer(session.access_token))
            return list(page.records)

        return eventually(listed, f"{action} {outcome}")

    return find


def refused(call: Callable[[], object]) -> None:
    """Expect a refusal."""
    with pytest.raises(grpc.RpcError):
        call()


def test_a_login_is_recorded_with_who_it_was(people: People, find: Find) -> None:
    """The person is the actor, in their company's log, with no password and no address in it."""
    event, _ = people.join()
    people.login(event.email)

    (record,) = find("Login", "OK", event.company_id)

    assert (record.actor_kind, record.actor_id) == ("user", event.user_id)
    assert record.actor_role == "manager"
    assert event.email not in str(record)
    assert PASSWORD not in str(record)


def test_a_failed_login_is_recorded_with_whom_it_was_tried_on(people: People, find: Find) -> None:
    """Nobody has proved to be anybody: the account is the thing, not the actor."""
    event, _ = people.join()
    refused(lambda: people.login(event.email, "not the password"))

    (record,) = find("Login", "CREDENTIALS_INVALID", event.company_id)

    assert (record.actor_kind, record.actor_id) == ("anonymous", "")
    assert (record.resource_type, record.resource_id) == ("user", event.user_id)


def test_a_login_of_nobody_is_in_the_platforms_log(people: People, find: Find) -> None:
    """What was typed is not kept: it may have been a password."""
    typed = new_email()
    refused(lambda: people.login(typed))

    record = find("Login", "CREDENTIALS_INVALID")[0]

    assert record.resource_id == record.actor_id == ""
    assert typed not in str(record)


def test_a_reused_refresh_token_is_one_refusal(people: People, find: Find) -> None:
    """The end of the session commits with the record of the reuse."""
    event, session = people.join()
    people.refresh(session)
    refused(lambda: people.refresh(session))

    records = find("RefreshSession", "REFRESH_TOKEN_REUSED", event.company_id)

    assert [record.resource_id for record in records] == [event.user_id]


def test_a_wrong_reset_code_is_one_refusal(people: People, find: Find) -> None:
    """The count of wrong codes commits with the record of the refusal."""
    event, _ = people.join()
    request = pb.ResetPasswordRequest(
        email=event.email, reset_code="MFRG-GZDF-NBSW-Y3DP", new_password="seven quiet stones yes"
    )
    refused(lambda: people.stub.ResetPassword(request))

    records = find("ResetPassword", "RESET_CODE_INVALID", event.company_id)

    assert [record.resource_id for record in records] == [event.user_id]


def test_the_command_verifies_the_database(people: People, find: Find, auth_site: AuthSite) -> None:
    """It says how many records are intact, and where one isn't."""
    event, _ = people.join()
    find("AcceptInvitation", "OK", event.company_id)
    arguments = ["--company", event.company_id]

    assert re.fullmatch(
        r"intact: \d+ records", asyncio.run(verify_audit(auth_site.settings, arguments))
    )
    run_async(_tamper(auth_site, event.company_id))
    with pytest.raises(CommandFailed, match="broken at record 1: altered"):
        asyncio.run(verify_audit(auth_site.settings, arguments))


def test_a_request_to_reset_a_password_is_nobodys_and_about_somebody(
    people: People, find: Find
) -> None:
    """It is in the log of the company whose person's address was typed."""
    event, _ = people.join()
    people.stub.RequestPasswordReset(pb.RequestPasswordResetRequest(email=event.email))

    (record,) = find("RequestPasswordReset", "OK", event.company_id)

    assert (record.actor_kind, record.actor_id) == ("anonymous", "")
    assert record.resource_id == event.user_id


def test_the_command_makes_a_new_key(auth_site: AuthSite, find: Find) -> None:
    """It prints the id and the public half, and leaves a record."""
    assert re.fullmatch(
        r"[0-9a-f]{64} [A-Za-z0-9+/=]{44}", asyncio.run(rotate_audit_key(auth_site.settings, []))
    )
    assert find("auth.background/RotateAuditKey", "OK")[0].actor_id == "auth"


async def _tamper(site: AuthSite, company_id: str) -> None:
    database = Database(site.settings(), "auth", CollectorRegistry())
    try:
        async with database.transaction() as session:
            await session.execute(
                sa.text("update audit_records set outcome = 'NO' where company_id = :company"),
                {"company": uuid.UUID(company_id)},
            )
    finally:
        await database.close()
