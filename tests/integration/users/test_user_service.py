"""The users service as its callers see it."""

import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from dashtrack.options.v1 import options_pb2
from dashtrack.users.v1 import user_service_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from services.chassis.identity import Role
from tests.fixtures.people_and_companies import FIRST_MASTER_EMAIL
from tests.fixtures.refusals import refused

FIRST_MASTER_ID = uuid.UUID("00000000-0000-7000-8000-000000000001")


def test_people_come_back_as_they_were_added(people: Any) -> None:
    """What a creation answers is what is read afterwards."""
    wanted = people.request(email="Ana.Silva@Example.com", display_name="  Ana Silva ")

    made = people.call(Role.COMPANY_ADMIN, "CreateUser", wanted)

    assert people.call(Role.MANAGER, "GetUser", pb.GetUserRequest(user_id=made.user_id)) == made
    assert (made.email, made.display_name) == ("ana.silva@example.com", "Ana Silva")
    assert made.company_id == str(people.company_id)
    assert made.status == pb.User.STATUS_ACTIVE
    assert made.create_time == made.update_time
    assert made.etag


def test_the_first_master_is_there(people: Any) -> None:
    """A new system has its administrator, under the id that auth knows."""
    me = people.call(
        Role.MASTER, "GetCurrentUser", pb.GetCurrentUserRequest(), user_id=FIRST_MASTER_ID
    )

    assert (me.user_id, me.email) == (str(FIRST_MASTER_ID), FIRST_MASTER_EMAIL)
    assert me.role == options_pb2.ROLE_MASTER
    assert not me.company_id


def test_everybody_reads_themselves(people: Any) -> None:
    """A helper, who may read nobody else, reads their own profile."""
    helper = people.add(role=options_pb2.ROLE_HELPER)

    me = people.call(
        Role.HELPER,
        "GetCurrentUser",
        pb.GetCurrentUserRequest(),
        user_id=uuid.UUID(helper.user_id),
    )

    assert me == helper


def test_people_keep_their_own_profile(people: Any) -> None:
    """A helper, who may change nobody, changes their own name, language and number."""
    helper = people.add(role=options_pb2.ROLE_HELPER, phone_number="+351912345678")
    assert (helper.language_code, helper.phone_number) == ("en", "+351912345678")
    user_id = uuid.UUID(helper.user_id)
    request = pb.UpdateCurrentUserRequest(
        user=pb.User(display_name="Rui", language_code="pt"),
        update_mask=FieldMask(paths=["display_name", "language_code", "phone_number"]),
    )

    changed = people.call(Role.HELPER, "UpdateCurrentUser", request, user_id=user_id)

    assert (changed.user_id, changed.display_name) == (helper.user_id, "Rui")
    assert (changed.language_code, changed.phone_number) == ("pt", "")
    me = pb.GetCurrentUserRequest()
    assert people.call(Role.HELPER, "GetCurrentUser", me, user_id=user_id) == changed


def test_nobody_gives_themselves_a_role(people: Any) -> None:
    """One's own role is no part of one's own profile, and a stale etag is refused there too."""
    helper = people.add(role=options_pb2.ROLE_HELPER)

    def update(paths: list[str], **values: Any) -> None:
        request = pb.UpdateCurrentUserRequest(
            user=pb.User(**values), update_mask=FieldMask(paths=paths)
        )
        user_id = uuid.UUID(helper.user_id)
        people.call(Role.HELPER, "UpdateCurrentUser", request, user_id=user_id)

    with refused(StatusCode.INVALID_ARGUMENT, "UPDATE_MASK_INVALID") as refusal:
        update(["role"], role=options_pb2.ROLE_MANAGER)
    assert refusal.metadata == {"path": "role"}
    with refused(StatusCode.ABORTED, "EDIT_CONFLICT"):
        update(["display_name"], display_name="Rui", etag="stale")


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"email": "no-address"}, {"user.email"}),
        ({"email": "a" * 250 + "@example.com"}, {"user.email"}),
        ({"display_name": "a" * 101}, {"user.display_name"}),
        ({"display_name": "  "}, {"user.display_name"}),
        ({"display_name": "a\x00b"}, {"user.display_name"}),
        ({"company_id": "nonsense"}, {"user.company_id"}),
        ({"role": 99}, {"user.role"}),
        ({"language_code": "de"}, {"user.language_code"}),
        ({"phone_number": "00351912345678"}, {"user.phone_number"}),
    ],
)
def test_bad_values_are_named(people: Any, values: Mapping[str, Any], fields: set[str]) -> None:
    """A value that breaks a rule is refused by the name of its field."""
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT") as refusal:
        people.add(**values)

    assert refusal.fields == fields


@pytest.mark.parametrize("missing", ["email", "display_name", "role"])
def test_needed_values_are_needed(people: Any, missing: str) -> None:
    """Nobody is added without an address, a name and a role."""
    request = people.request()
    request.user.ClearField(missing)

    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"):
        people.call(Role.MASTER, "CreateUser", request)


def test_refusals_of_creation_say_why(people: Any) -> None:
    """Each rule about who is added where has its own reason."""
    first = people.add()

    with refused(StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN"):
        people.add(email=first.email.upper())
    with refused(StatusCode.PERMISSION_DENIED, "ROLE_NOT_GRANTABLE") as refusal:
        manager = people.request(role=options_pb2.ROLE_MANAGER)
        people.call(Role.MANAGER, "CreateUser", manager)
    assert refusal.metadata == {"role": "manager"}
    with refused(StatusCode.INVALID_ARGUMENT, "COMPANY_REQUIRED"):
        people.add(company_id="")
    with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"):
        people.add(company_id=str(uuid.uuid4()))


def test_foreign_and_unknown_look_the_same(people: Any, foreign_company_id: uuid.UUID) -> None:
    """Whoever asks with another company's ids learns nothing that a random id doesn't tell."""
    foreign = people.add(company_id=str(foreign_company_id))

    for user_id in (foreign.user_id, str(uuid.uuid4())):
        for method, request in (
            ("GetUser", pb.GetUserRequest(user_id=user_id)),
            ("DeactivateUser", pb.DeactivateUserRequest(user_id=user_id)),
            ("ReactivateUser", pb.ReactivateUserRequest(user_id=user_id)),
            ("DeleteUser", pb.DeleteUserRequest(user_id=user_id)),
            ("UndeleteUser", pb.UndeleteUserRequest(user_id=user_id)),
            ("ResendInvitation", pb.ResendInvitationRequest(user_id=user_id)),
            (
                "UpdateUser",
                pb.UpdateUserRequest(user=pb.User(user_id=user_id, display_name="Rui")),
            ),
        ):
            with refused(StatusCode.NOT_FOUND, "USER_NOT_FOUND") as refusal:
                people.call(Role.COMPANY_ADMIN, method, request)
            assert refusal.metadata == {"user_id": user_id}
    for company_id in (str(foreign_company_id), str(uuid.uuid4())):
        with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND") as refusal:
            people.call(Role.MANAGER, "ListUsers", pb.ListUsersRequest(company_id=company_id))
        assert refusal.metadata == {"company_id": company_id}
        with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"):
            people.call(Role.MANAGER, "CreateUser", people.request(company_id=company_id))


def test_repeated_requests_make_one_person(people: Any) -> None:
    """A retry with its request id answers the same person, and another content is refused."""
    request_id, caller_id = str(uuid.uuid4()), uuid.uuid4()
    request = people.request(request_id)
    first = people.call(Role.MANAGER, "CreateUser", request, user_id=caller_id)

    again = people.call(Role.MANAGER, "CreateUser", request, user_id=caller_id)

    assert again == first
    request.user.display_name = "Rui"
    with refused(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED") as refusal:
        people.call(Role.MANAGER, "CreateUser", request, user_id=caller_id)
    assert refusal.metadata == {"request_id": request_id}


def test_simultaneous_retries_make_one_person(people: Any) -> None:
    """Tries that overtake one another all answer the same person."""
    request, caller_id = people.request(str(uuid.uuid4())), uuid.uuid4()

    with ThreadPoolExecutor(6) as pool:
        tries = [
            pool.submit(people.call, Role.MANAGER, "CreateUser", request, user_id=caller_id)
            for _ in range(6)
        ]

    assert len({made.result().user_id for made in tries}) == 1


def test_updates_change_what_they_name(people: Any) -> None:
    """The mask decides; the version, and with it the etag, moves on."""
    driver = people.add()
    user = pb.User(
        user_id=driver.user_id, display_name="Rui", role=options_pb2.ROLE_HELPER, etag=driver.etag
    )

    changed = people.call(
        Role.MANAGER,
        "UpdateUser",
        pb.UpdateUserRequest(user=user, update_mask=FieldMask(paths=["display_name"])),
    )

    assert (changed.display_name, changed.role) == ("Rui", options_pb2.ROLE_DRIVER)
    assert changed.etag != driver.etag
    assert changed.update_time.ToDatetime() > driver.update_time.ToDatetime()
    assert changed.create_time == driver.create_time


def test_updates_are_refused_for_reasons(people: Any) -> None:
    """A path that cannot change, a stale etag and one's own role each have their reason."""
    admin = people.add(role=options_pb2.ROLE_COMPANY_ADMIN)

    def update(paths: list[str], **values: Any) -> None:
        user = pb.User(user_id=admin.user_id, **values)
        request = pb.UpdateUserRequest(user=user, update_mask=FieldMask(paths=paths))
        user_id = uuid.UUID(admin.user_id)
        people.call(Role.COMPANY_ADMIN, "UpdateUser", request, user_id=user_id)

    with refused(StatusCode.INVALID_ARGUMENT, "UPDATE_MASK_INVALID") as refusal:
        update(["email"], email="other@example.com")
    assert refusal.metadata == {"path": "email"}
    with refused(StatusCode.ABORTED, "EDIT_CONFLICT"):
        update(["display_name"], display_name="Rui", etag="stale")
    with refused(StatusCode.FAILED_PRECONDITION, "OWN_ACCOUNT"):
        update(["role"], role=options_pb2.ROLE_DRIVER)


def test_deactivation_is_repeatable(people: Any) -> None:
    """The second deactivation answers what the first did; nobody deactivates themselves."""
    driver = people.add()
    request = pb.DeactivateUserRequest(user_id=driver.user_id)

    first = people.call(Role.MANAGER, "DeactivateUser", request)

    assert first.status == pb.User.STATUS_DEACTIVATED
    assert people.call(Role.MANAGER, "DeactivateUser", request) == first
    with refused(StatusCode.FAILED_PRECONDITION, "OWN_ACCOUNT"):
        people.call(Role.MASTER, "DeactivateUser", request, user_id=uuid.UUID(driver.user_id))


def test_reactivation_undoes_deactivation(people: Any) -> None:
    """The person is as active as before, one version later; nobody reactivates themselves."""
    driver = people.add()
    people.call(Role.MANAGER, "DeactivateUser", pb.DeactivateUserRequest(user_id=driver.user_id))
    request = pb.ReactivateUserRequest(user_id=driver.user_id)

    first = people.call(Role.MANAGER, "ReactivateUser", request)

    assert first.status == pb.User.STATUS_ACTIVE
    assert first.etag != driver.etag
    assert people.call(Role.MANAGER, "ReactivateUser", request) == first
    with refused(StatusCode.FAILED_PRECONDITION, "OWN_ACCOUNT"):
        people.call(Role.MASTER, "ReactivateUser", request, user_id=uuid.UUID(driver.user_id))


def test_deletion_can_be_undone(people: Any) -> None:
    """The deleted are listed on demand alone, are not changed, and come back as they were."""
    driver = people.add()
    named = {"user_id": driver.user_id}

    deleted = people.call(Role.MANAGER, "DeleteUser", pb.DeleteUserRequest(**named))

    kept = deleted.purge_time.ToDatetime() - deleted.delete_time.ToDatetime()
    assert kept.days == 30
    assert people.call(Role.MANAGER, "DeleteUser", pb.DeleteUserRequest(**named)) == deleted
    assert people.call(Role.MANAGER, "GetUser", pb.GetUserRequest(**named)) == deleted
    assert not people.call(Role.MANAGER, "ListUsers", pb.ListUsersRequest()).users
    whole = people.call(Role.MANAGER, "ListUsers", pb.ListUsersRequest(show_deleted=True))
    assert list(whole.users) == [deleted]
    with refused(StatusCode.FAILED_PRECONDITION, "USER_DELETED") as refusal:
        people.call(Role.MANAGER, "DeactivateUser", pb.DeactivateUserRequest(**named))
    assert refusal.metadata == named
    with refused(StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN"):
        people.add(email=driver.email)

    back = people.call(Role.MANAGER, "UndeleteUser", pb.UndeleteUserRequest(**named))

    assert not back.HasField("delete_time")
    assert not back.HasField("purge_time")
    assert list(people.call(Role.MANAGER, "ListUsers", pb.ListUsersRequest()).users) == [back]


def test_refusals_of_deletion_say_why(people: Any) -> None:
    """Nobody deletes themselves, and nobody the first administrator."""
    admin = people.add(role=options_pb2.ROLE_COMPANY_ADMIN)
    request = pb.DeleteUserRequest(user_id=admin.user_id)

    with refused(StatusCode.FAILED_PRECONDITION, "OWN_ACCOUNT"):
        people.call(Role.COMPANY_ADMIN, "DeleteUser", request, user_id=uuid.UUID(admin.user_id))
    with refused(StatusCode.PERMISSION_DENIED, "ROLE_NOT_GRANTABLE"):
        people.call(Role.MANAGER, "DeleteUser", request)
    with refused(StatusCode.FAILED_PRECONDITION, "FIRST_MASTER"):
        first = pb.DeleteUserRequest(user_id=str(FIRST_MASTER_ID))
        people.call(Role.MASTER, "DeleteUser", first)


def test_invitations_are_throttled(people: Any) -> None:
    """Whoever was invited a moment ago is not invited again, and the caller learns when to."""
    driver = people.add()
    request = pb.ResendInvitationRequest(user_id=driver.user_id)

    with refused(StatusCode.RESOURCE_EXHAUSTED, "INVITATION_THROTTLED") as refusal:
        people.call(Role.MANAGER, "ResendInvitation", request)

    assert refusal.retry_after_s
    assert driver.invite_time == driver.create_time
    people.call(Role.MANAGER, "DeactivateUser", pb.DeactivateUserRequest(user_id=driver.user_id))
    with refused(StatusCode.FAILED_PRECONDITION, "USER_DEACTIVATED") as refusal:
        people.call(Role.MANAGER, "ResendInvitation", request)
    assert refusal.metadata == {"user_id": driver.user_id}
