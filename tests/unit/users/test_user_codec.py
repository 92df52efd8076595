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
from services.chassis.page_tokens import PageTokenInvalid, encode_page_token, fingerprint
from services.users import codec
from services.users.domain.lists import ListPosition, OrderField, UserOrder, UserQuery
from services.users.domain.people import Status, User, UserEdit
from services.users.usecases.people import UserPage

USER_ID = uuid.UUID("01900000-0000-7000-8000-00000000000a")

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
people = st.builds(
    User,
    user_id=st.uuids(),
    company_id=st.none() | st.uuids(),
    email=st.emails(),
    display_name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100),
    role=st.sampled_from(Role),
    language_code=st.sampled_from(["en", "pt"]),
    phone_number=st.sampled_from(["", "+351912345678"]),
    status=st.sampled_from(Status),
    version=st.integers(1, 2**63 - 1),
    create_time=moments,
    update_time=moments,
    invite_time=moments,
    delete_time=st.none() | moments,
    purge_time=st.none() | moments,
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
    assert message.language_code == user.language_code
    assert message.phone_number == user.phone_number
    assert message.create_time.ToDatetime(UTC) == user.create_time
    assert message.update_time.ToDatetime(UTC) == user.update_time
    assert message.invite_time.ToDatetime(UTC) == user.invite_time
    for field in ("delete_time", "purge_time"):
        moment = getattr(user, field)
        assert message.HasField(field) is (moment is not None)
        assert moment in {None, getattr(message, field).ToDatetime(UTC)}


@given(people, st.uuids(), st.booleans())
def test_events_tell_how_a_person_stands(
    user: User,
    event_id: uuid.UUID,
    purged: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """The event says all that another service holds about a person."""
    payload = codec.encode_user_changed(event_id, user, purged=purged, invite=not purged)
    event = user_events_pb2.UserChanged.FromString(payload)

    assert (event.event_id, event.user_id) == (str(event_id), str(user.user_id))
    assert event.company_id == (str(user.company_id) if user.company_id else "")
    assert (event.email, event.display_name) == (user.email, user.display_name)
    assert options_pb2.Role.Name(event.role) == f"ROLE_{user.role.name}"
    assert event.active is (user.status is Status.ACTIVE and user.delete_time is None)
    assert (event.purged, event.invite) == (purged, not purged)
    assert event.version == user.version
    assert event.language_code == user.language_code
    assert event.phone_number == user.phone_number
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
    profile = pb.User(language_code="pt")
    assert decoded(profile, "language_code", "phone_number") == UserEdit(
        language_code="pt", phone_number=""
    )


def test_a_mask_makes_an_empty_field_a_value() -> None:
    """An empty name that the mask names is passed on, to be refused by the rules for names."""
    assert decoded(pb.User(), "display_name") == UserEdit(display_name="")


@pytest.mark.parametrize("path", ["email", "company_id", "status", "etag", "nonsense", "*", ""])
def test_masks_name_changeable_fields_only(path: str) -> None:
    """A path that cannot be changed is refused by name, even beside one that can."""
    with pytest.raises(UpdateMaskInvalid) as refusal:
        decoded(pb.User(display_name="Rui", role=options_pb2.ROLE_DRIVER), "display_name", path)

    assert refusal.value.metadata == {"path": path}


def test_creations_take_the_profile_along() -> None:
    """A language that is left out is English."""
    user = pb.User(role=options_pb2.ROLE_DRIVER, language_code="pt", phone_number="+351912345678")

    whole = codec.decode_new_user(pb.CreateUserRequest(user=user))
    bare = codec.decode_new_user(pb.CreateUserRequest(user=pb.User(role=options_pb2.ROLE_DRIVER)))

    assert (whole.language_code, whole.phone_number) == ("pt", "+351912345678")
    assert (bare.language_code, bare.phone_number) == ("en", "")


def test_updates_of_oneself_are_about_the_profile() -> None:
    """Whose they are and which role is not read, and a mask may not name it."""
    user = pb.User(user_id=str(USER_ID), role=options_pb2.ROLE_MASTER, language_code="pt")

    edit = codec.decode_own_edit(pb.UpdateCurrentUserRequest(user=user))

    assert edit == UserEdit(language_code="pt")
    with pytest.raises(UpdateMaskInvalid) as refusal:
        codec.decode_own_edit(
            pb.UpdateCurrentUserRequest(user=user, update_mask=FieldMask(paths=["role"]))
        )
    assert refusal.value.metadata == {"path": "role"}


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


positions = st.builds(ListPosition, moments, st.uuids()).map(
    lambda position: (UserOrder(OrderField.CREATE_TIME), position)
) | st.builds(ListPosition, st.text(st.characters(exclude_categories=["Cs"])), st.uuids()).map(
    lambda position: (UserOrder(OrderField.DISPLAY_NAME, descending=True), position)
)


@given(positions, st.integers(0, 1000))
def test_page_tokens_lead_on_within_their_list(
    place: tuple[UserOrder, ListPosition], page_size: int
) -> None:
    """A token leads to exactly where its page ended, and is refused with another question."""
    order, position = place
    order_by = f"{order.field} desc" if order.descending else ""
    request = pb.ListUsersRequest(query="ana", order_by=order_by)
    token = codec.encode_page(UserPage([], position), request).next_page_token
    request.page_token, request.page_size = token, page_size

    assert codec.decode_query(request).order == order
    assert codec.decode_position(request, order) == position
    for other in (
        pb.ListUsersRequest(query="an", order_by=order_by, page_token=token),
        pb.ListUsersRequest(query="ana", order_by="email", page_token=token),
        pb.ListUsersRequest(
            query="ana", order_by=order_by, page_token=token, role=options_pb2.ROLE_DRIVER
        ),
    ):
        with pytest.raises(PageTokenInvalid):
            codec.decode_position(other, codec.decode_query(other).order)


def test_tokens_of_another_kind_of_list_are_refused() -> None:
    """A token that was sealed for the question and lacks its position leads nowhere."""
    request = pb.ListUsersRequest()
    request.page_token = encode_page_token({"after": str(USER_ID)}, fingerprint(request))

    with pytest.raises(PageTokenInvalid):
        codec.decode_position(request, UserOrder())


def test_the_last_page_has_no_token() -> None:
    """An empty token ends the list, and an empty token starts one."""
    assert not codec.encode_page(UserPage([], None), pb.ListUsersRequest()).next_page_token
    assert codec.decode_position(pb.ListUsersRequest(), UserOrder()) is None


def test_questions_are_read_whole() -> None:
    """Each filter of a list has its field; what is left out doesn't matter."""
    request = pb.ListUsersRequest(
        company_id=str(USER_ID),
        role=options_pb2.ROLE_DRIVER,
        status=pb.User.STATUS_DEACTIVATED,
        query=" JOÃO  silva ",
        order_by="email desc",
        show_deleted=True,
    )

    assert codec.decode_query(request) == UserQuery(
        USER_ID,
        Role.DRIVER,
        Status.DEACTIVATED,
        ["joao", "silva"],
        UserOrder(OrderField.EMAIL, descending=True),
        show_deleted=True,
    )
    assert codec.decode_query(pb.ListUsersRequest()) == UserQuery(words=[])
