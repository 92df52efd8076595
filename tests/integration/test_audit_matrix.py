"""Every audited RPC of every service leaves exactly one record, when it succeeds and when not."""

import time
import uuid
from typing import Any

import pytest
from dashtrack.audit.v1 import audit_service_pb2 as audit
from dashtrack.auth.internal.v1 import token_service_pb2
from dashtrack.options.v1 import options_pb2
from dashtrack.users.internal.v1 import address_service_pb2
from dashtrack.users.v1 import user_service_pb2

from services.chassis.identity import Role
from services.chassis.rpc.methods import Audited, find_method
from tests.fixtures.rpcs import RPCS
from tests.fixtures.two_tenants import TwoTenants
from tests.integration.test_access_matrix import REACHES

LIST = "/dashtrack.audit.v1.AuditService/ListAuditRecords"
_PATIENCE_S = 20.0
_POLL_INTERVAL_S = 0.05


def audited_paths(audited: Audited) -> list[str]:
    """Find the methods that are audited in a way."""
    return [path for path in RPCS if find_method(path).audited is audited]


def action_of(path: str) -> str:
    """Name a method as the log does."""
    return find_method(path).action


class Log:
    """A company's log, as the operator reads it: by which it is written to as well."""

    def __init__(self, world: TwoTenants, company_id: str) -> None:
        self._world = world
        self._company_id = company_id

    def records(self, path: str, **wanted: str) -> list[Any]:
        """Return the records of a method, or other action, with these values, newest first."""
        action = action_of(path) if path.startswith("/") else path
        request = audit.ListAuditRecordsRequest(
            company_id=self._company_id, action=action, page_size=1000
        )
        records = self._world.call(LIST, request, Role.MASTER).records
        return [
            record
            for record in records
            if all(getattr(record, name) == value for name, value in wanted.items())
        ]

    def settled(self, path: str, count: int, **wanted: str) -> list[Any]:
        """Return such records once there are so many, or what there is by then."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while len(found := self.records(path, **wanted)) < count:
            if time.monotonic() > deadline_s:
                break
            time.sleep(_POLL_INTERVAL_S)
        return found


@pytest.fixture
def own(world: TwoTenants) -> Log:
    """The log of the own company."""
    return Log(world, world.own.company_id)


@pytest.fixture
def platform(world: TwoTenants) -> Log:
    """The log of what is no company's."""
    return Log(world, "")


def role_for(path: str) -> Role:
    """Pick who calls: a member, so that the record is in their company's log."""
    members = [role for role in RPCS[path].roles if role is not Role.MASTER]
    return (
        Role.COMPANY_ADMIN
        if Role.COMPANY_ADMIN in members
        else Role(min(members, default="master"))
    )


CHANGES = [path for path in audited_paths(Audited.ALL) if path in REACHES]


MEMBERS_CHANGES = [path for path in CHANGES if role_for(path) is not Role.MASTER]
# Nobody decided anything about what came too often, and a flood of it must not fill the log.
THROTTLED = "INVITATION_THROTTLED"


@pytest.mark.parametrize("path", MEMBERS_CHANGES)
def test_what_is_let_in_leaves_one_record(world: TwoTenants, own: Log, path: str) -> None:
    """The answer, whether it is what was asked for or a refusal, is in the company's log once."""
    role = role_for(path)
    before = own.records(path, actor_role=role)

    # The second record proves that nothing else of the first call is still under way.
    outcomes = [world.outcome(path, REACHES[path].request(world.own), role) for _ in range(2)]

    expected = [outcome.reason or "OK" for outcome in outcomes if outcome.reason != THROTTLED]
    found = own.settled(path, len(before) + len(expected), actor_role=role)
    new = found[: len(found) - len(before)]
    assert [record.outcome for record in reversed(new)] == expected
    for record in new:
        assert record.actor_kind == "user"
        assert record.actor_company_id == world.own.company_id
        assert record.trace_id
        assert record.address == "127.0.0.1"
        # A use case that makes something has to say what: `note_resource`.
        assert record.resource_type
        assert record.resource_id or record.outcome != "OK"


@pytest.mark.parametrize("path", MEMBERS_CHANGES)
def test_what_is_not_theirs_leaves_one_record_in_their_log(
    world: TwoTenants, own: Log, path: str
) -> None:
    """Who reaches for another company's things is recorded with their own, not with it."""
    foreign = Log(world, world.foreign.company_id)
    role, reason = role_for(path), REACHES[path].reason
    before = len(own.records(path, outcome=reason))

    outcome = world.outcome(path, REACHES[path].request(world.foreign), role)

    assert outcome.reason == reason
    assert len(own.settled(path, before + 1, outcome=reason)) == before + 1
    assert not foreign.records(path, actor_company_id=world.own.company_id)


def denied() -> list[Any]:
    """Find methods that some role may not call."""
    found = []
    for path in audited_paths(Audited.ALL):
        missing = [
            role for role in Role if role is not Role.MASTER and role not in RPCS[path].roles
        ]
        if RPCS[path].access.caller == options_pb2.CALLER_USER and missing:
            found.append(pytest.param(path, missing[0], id=path))
    return found


@pytest.mark.parametrize(("path", "role"), denied())
def test_who_may_not_call_leaves_one_record(
    world: TwoTenants, own: Log, path: str, role: Role
) -> None:
    """A role that the method doesn't let in is in the log of the caller's company."""
    wanted = {"outcome": "PERMISSION_DENIED", "actor_role": str(role)}
    before = len(own.records(path, **wanted))

    outcome = world.outcome(path, RPCS[path].new_request(), role)

    assert outcome.reason == "PERMISSION_DENIED"
    assert len(own.settled(path, before + 1, **wanted)) == before + 1


@pytest.mark.parametrize("path", CHANGES)
def test_masters_leave_their_record_with_the_company(
    world: TwoTenants, own: Log, path: str
) -> None:
    """What the operator does to a company is in its own log, where its administrator sees it."""
    outcome = world.outcome(path, REACHES[path].request(world.own), Role.MASTER)

    assert outcome.reason or own.settled(path, 1, actor_role="master")


def test_uploads_and_harmless_reads_are_not_audited() -> None:
    """What boards send all day, and what changes nothing, is no news."""
    for path in audited_paths(Audited.NONE):
        harmless = RPCS[path].method.GetOptions().idempotency_level == 1
        assert harmless or path.endswith(("/UploadBatch", "/Upload"))


def test_strangers_make_no_noise(world: TwoTenants, platform: Log) -> None:
    """Calls without a token, and credentials of nobody's devices, leave nothing."""
    exchange = "/dashtrack.device.v1.DeviceLinkService/ExchangeSecret"
    request = RPCS[exchange].new_request()
    for name, value in {"device_id": str(uuid.uuid4()), "secret": "s" * 32}.items():
        setattr(request, name, value)

    for path, message in ((LIST, audit.ListAuditRecordsRequest()), (exchange, request)):
        assert world.outcome(path, message, "nobody").reason

    assert not platform.records(exchange)
    assert not platform.records(LIST, actor_kind="anonymous")


def test_changed_fields_are_names_of_what_was_set(world: TwoTenants, own: Log) -> None:
    """A creation lists the fields that it set, and an update those that its mask names."""
    create = "/dashtrack.users.v1.UserService/CreateUser"
    update = "/dashtrack.users.v1.UserService/UpdateUser"
    for path in (create, update):
        world.call(path, REACHES[path].request(world.own), Role.COMPANY_ADMIN)

    created = own.settled(create, 1)[0]
    updated = own.settled(update, 1)[0]
    assert set(created.changed_fields) == {"display_name", "email", "role"}
    assert created.resource_type == updated.resource_type == "user"
    assert created.resource_id
    assert updated.resource_id == world.own.user_id
    assert list(updated.changed_fields) == ["display_name"]


def test_what_services_ask_of_each_other_is_with_the_company(world: TwoTenants, own: Log) -> None:
    """The service is the actor, and the log is that of whose person or device it is about."""
    user = world.call(
        "/dashtrack.users.v1.UserService/GetUser",
        user_service_pb2.GetUserRequest(user_id=world.own.user_id),
    )
    change = address_service_pb2.ChangeEmailRequest(
        user_id=user.user_id, from_email=user.email, to_email=user.email
    )
    revoke = token_service_pb2.RevokeSubjectRequest(
        subject=str(uuid.uuid4()), company_id=world.own.company_id
    )
    change_email = "/dashtrack.users.internal.v1.AddressService/ChangeEmail"
    revoke_subject = "/dashtrack.auth.internal.v1.TokenService/RevokeSubject"
    world.call(change_email, change, "service")
    world.call(revoke_subject, revoke, "service")

    (changed,) = own.settled(change_email, 1, resource_id=user.user_id)
    (revoked,) = own.settled(revoke_subject, 1, resource_id=revoke.subject)

    assert changed.actor_kind == revoked.actor_kind == "service"
    assert changed.actor_id == revoked.actor_id == "telemetry"


def test_consequences_have_the_trace_of_their_cause(world: TwoTenants, own: Log) -> None:
    """An auditor gets from a deactivation to what auth did about it."""
    path = "/dashtrack.users.v1.UserService/CreateUser"
    user = world.call(path, REACHES[path].request(world.own), Role.COMPANY_ADMIN)
    deactivate = "/dashtrack.users.v1.UserService/DeactivateUser"
    request = user_service_pb2.DeactivateUserRequest(user_id=user.user_id)
    world.call(deactivate, request, Role.COMPANY_ADMIN)

    (cause,) = own.settled(deactivate, 1, resource_id=user.user_id)
    consequences = own.settled("auth.background/FollowUser", 2, resource_id=user.user_id)

    assert consequences[0].trace_id == cause.trace_id
    assert consequences[0].trace_id != consequences[1].trace_id
