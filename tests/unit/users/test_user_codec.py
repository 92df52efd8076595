"""People survive the way between protobuf and the domain, and update masks mean what they say."""

import uuid
from datetime import UTC, datetime

import pytest
from dashtrack.options.v1 import options_pb2
from dashtrack.users.v1 import user_events_pb2
from dashtrack.users.v1 import user_service_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import InvalidArgument, UpdateMaskInvalid
from services.chassis.identity import Role
from services.chassis.page_tokens import PageTokenInvalid, decode_page_start
from services.users import codec
from services.users.domain import Status, User, UserEdit
from services.users.usecases import UserPage

USER_ID = uuid.UUID("01900000-0000-7000-8000-00000000000a")

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
people = st.builds(
    User,
    user_id=st.uuids(),
    company_id=st.none() | st.uuids(),
    email=st.emails(),
    display_name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100),
    role=st.sampled_from(Role),
    status=st.sampled_from(Status),
    version=st.integers(1, 2**63 - 1),
    create_time=moments,
    update_time=moments,
)


@given(people)
def test_people_are_written_whole(user: User) -> None:
    """Every fact about a person is in the message, in its own field."""
    message = codec.encode_user(user)

    assert message.user_id == str(user.user_id)
    assert message.company_id == (str(user.company_id) if user.company_id else "")
    assert (message.email, message.display_name) == (user.email, user.display_name)
    assert options_pb2.Role.Name(message.role) == f"ROLE_{user.role.name}"
    assert pb.User.Status.Name(message.status) == f"STATUS_{user.status.name}"
    assert message.etag == user.etag
    assert message.create_time.ToDatetime(UTC) == user.create_time
    assert message.update_time.ToDatetime(UTC) == user.update_time


@given(people, st.uuids())
def test_events_tell_how_a_person_stands(user: User, event_id: uuid.UUID) -> None:
    """The event says all that another service holds about a person."""
    event = user_events_pb2.UserChanged.FromString(codec.encode_user_changed(event_id, user))

    assert (event.event_id, event.user_id) == (str(event_id), str(user.user_id))
    assert event.company_id == (str(user.company_id) if user.company_id else "")
    assert (event.email, event.display_name) == (user.email, user.display_name)
    assert options_pb2.Role.Name(event.role) == f"ROLE_{user.role.name}"
    assert event.active is (user.status is Status.ACTIVE)
    assert event.version == user.version
    assert event.occur_time.ToDatetime(UTC) == user.update_time


def decoded(user: pb.User, *paths: str) -> UserEdit:
    """Decode an update of one person."""
    user.user_id = str(USER_ID)
    mask = FieldMask(paths=paths) if paths else None
    user_id, edit = codec.decode_edit(pb.UpdateUserRequest(user=user, update_mask=mask))
    assert user_id == USER_ID
    return edit


def test_without_a_mask_what_is_set_is_changed() -> None:
    """Fields that are left out stay as they are."""
    assert decoded(pb.User(display_name="Rui")) == UserEdit(display_name="Rui")
    assert decoded(pb.User(role=options_pb2.ROLE_DRIVER)) == UserEdit(role=Role.DRIVER)
    assert decoded(pb.User(etag="7", email="a@b.c")) == UserEdit(etag="7", email="a@b.c")


def test_a_mask_decides_what_is_changed() -> None:
    """What the mask doesn't name stays as it is, whatever the message holds."""
    user = pb.User(display_name="Rui", role=options_pb2.ROLE_DRIVER, email="a@b.c", etag="7")

    assert decoded(user, "display_name") == UserEdit(display_name="Rui", etag="7")
    assert decoded(user, "role") == UserEdit(role=Role.DRIVER, etag="7")


def test_a_mask_makes_an_empty_field_a_value() -> None:
    """An empty name that the mask names is passed on, to be refused by the rules for names."""
    assert decoded(pb.User(), "display_name") == UserEdit(display_name="")


@pytest.mark.parametrize("path", ["email", "company_id", "status", "etag", "nonsense", "*", ""])
def test_masks_name_changeable_fields_only(path: str) -> None:
    """A path that cannot be changed is refused by name, even beside one that can."""
    with pytest.raises(UpdateMaskInvalid) as refusal:
        decoded(pb.User(display_name="Rui", role=options_pb2.ROLE_DRIVER), "display_name", path)

    assert refusal.value.metadata == {"path": path}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.UpdateUserRequest(user=pb.User(display_name="Rui")), "user.user_id"),
        (
            pb.UpdateUserRequest(
                user=pb.User(user_id=str(USER_ID)), update_mask=FieldMask(paths=["role"])
            ),
            "user.role",
        ),
    ],
)
def test_updates_name_what_they_lack(request_: pb.UpdateUserRequest, field: str) -> None:
    """An update without its person, or with a role to set and none given, is refused."""
    with pytest.raises(InvalidArgument) as refusal:
        codec.decode_edit(request_)

    assert [violation.field for violation in refusal.value.violations] == [field]


def test_page_tokens_lead_on_within_their_list() -> None:
    """A token leads to where its page ended, and is refused with another filter."""
    request = pb.ListUsersRequest(company_id=str(USER_ID))
    token = codec.encode_page(UserPage([], USER_ID), request).next_page_token

    same = pb.ListUsersRequest(company_id=str(USER_ID), page_token=token, page_size=7)
    assert decode_page_start(same) == USER_ID
    with pytest.raises(PageTokenInvalid):
        decode_page_start(pb.ListUsersRequest(page_token=token))


def test_the_last_page_has_no_token() -> None:
    """An empty token ends the list, and an empty token starts one."""
    assert not codec.encode_page(UserPage([], None), pb.ListUsersRequest()).next_page_token
    assert decode_page_start(pb.ListUsersRequest()) is None
