"""What a request tells the audit log about itself, and what never gets in."""

import uuid

import pytest
from dashtrack.audit.v1 import audit_service_pb2 as audit
from dashtrack.auth.v1 import auth_service_pb2 as auth
from dashtrack.device.v1 import device_link_service_pb2 as link
from dashtrack.users.v1 import user_service_pb2 as users
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from services.chassis.audit.entries import Entry
from services.chassis.audit.facts import describe
from services.chassis.rpc.methods import Audited, find_method
from services.chassis.statements import written_tables
from tests.fixtures.rpcs import RPCS

USER_ID = str(uuid.uuid4())
COMPANY_ID = str(uuid.uuid4())


def described(request: object) -> Entry:
    """Describe a request."""
    entry = Entry("any")
    describe(entry, request)
    return entry


def test_a_creation_names_the_type_and_the_fields_that_it_sets() -> None:
    """The id is not known yet; ids and request ids are no changes."""
    user = users.User(company_id=COMPANY_ID, email="ana@example.com", display_name="Ana")
    entry = described(users.CreateUserRequest(user=user, request_id=USER_ID))

    assert (entry.resource_type, entry.resource_id) == ("user", "")
    assert entry.changed_fields == ("display_name", "email")
    assert entry.asked_company_id == uuid.UUID(COMPANY_ID)


def test_an_update_names_the_fields_of_its_mask() -> None:
    """What the mask doesn't name does not change, and what it names is a field or nothing."""
    user = users.User(user_id=USER_ID, email="ana@example.com")
    mask = FieldMask(paths=["phone_number", "display_name", "display_name", "x=1", "s3cret"])
    entry = described(users.UpdateUserRequest(user=user, update_mask=mask))

    assert (entry.resource_type, entry.resource_id) == ("user", USER_ID)
    assert entry.changed_fields == ("display_name", "phone_number")


@pytest.mark.parametrize(
    "request_",
    [
        auth.LoginRequest(email="ana@example.com", password="s3cret-value"),
        auth.ChangePasswordRequest(current_password="s3cret-value", new_password="s3cret-value"),
        auth.ResetPasswordRequest(
            email="s3cret-value", reset_code="s3cret-value", new_password="s3cret-value"
        ),
        link.ExchangeSecretRequest(device_id="Not an id s3cret-value", secret="s3cret-value"),
        HttpBody(data=b"s3cret-value"),
    ],
)
def test_no_value_gets_into_the_log(request_: Message) -> None:
    """Not even names of secret fields do, nor what stands where an id should be."""
    entry = described(request_)

    assert "s3cret" not in repr(entry)
    assert not {"password", "secret", "reset_code"} & set(entry.changed_fields)
    assert entry.resource_id == ""


def test_filters_are_no_things() -> None:
    """Who looks for what somebody did has done nothing to them."""
    request = audit.ListAuditRecordsRequest(actor_id=USER_ID, company_id=COMPANY_ID)

    assert described(request).resource_type == "company"


def test_what_is_no_message_is_described_by_nothing() -> None:
    """Bytes that could not be decoded have no fields."""
    assert described(object()).changed_fields == ()


def test_every_method_is_audited_unless_it_says_or_changes_nothing() -> None:
    """Whoever adds a method with side effects gets a record, and exceptions are few and listed."""
    exceptions = {
        path
        for path, rpc in RPCS.items()
        if find_method(path).audited is not Audited.ALL
        and rpc.method.GetOptions().idempotency_level != 1
    }

    assert exceptions == {
        "/dashtrack.auth.internal.v1.TokenService/IssueDeviceToken",
        "/dashtrack.auth.internal.v1.TokenService/IssueServiceToken",
        "/dashtrack.device.v1.DeviceLinkHttpService/Exchange",
        "/dashtrack.device.v1.DeviceLinkHttpService/Upload",
        "/dashtrack.device.v1.DeviceLinkService/ExchangeSecret",
        "/dashtrack.device.v1.DeviceLinkService/UploadBatch",
    }


def test_actions_have_names_of_their_own() -> None:
    """No two methods are one action."""
    actions = [find_method(path).action for path in RPCS]

    assert len(set(actions)) == len(actions)


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("SELECT * FROM users FOR UPDATE", set()),
        ("SELECT * FROM users FOR NO KEY UPDATE SKIP LOCKED", set()),
        ("INSERT INTO users (a) VALUES ($1) ON CONFLICT DO UPDATE SET a = 1", {"users"}),
        ('UPDATE "users" SET a = 1', {"users"}),
        ("delete from only users where true", {"users"}),
        ("WITH gone AS (DELETE FROM a RETURNING x) INSERT INTO b SELECT x FROM gone", {"a", "b"}),
    ],
)
def test_statements_tell_what_they_write_to(statement: str, tables: set[str]) -> None:
    """Locks and upserts are told from updates."""
    assert written_tables(statement) == tables
