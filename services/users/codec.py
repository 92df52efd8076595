"""People between protobuf and the domain; pure functions, the only place that knows both."""

import uuid

from dashtrack.users.v1 import user_events_pb2, user_service_pb2

from services.chassis.errors import UpdateMaskInvalid, invalid_field
from services.chassis.fields import ROLE_NUMBERS, ROLES, decode_optional_id, encode_time
from services.chassis.page_tokens import encode_next_page
from services.users.domain import NewUser, Status, User, UserEdit
from services.users.usecases import UserPage

_STATUS_NUMBERS = {
    Status.ACTIVE: user_service_pb2.User.STATUS_ACTIVE,
    Status.DEACTIVATED: user_service_pb2.User.STATUS_DEACTIVATED,
}
_CHANGEABLE = frozenset({"display_name", "role"})


def decode_new_user(request: user_service_pb2.CreateUserRequest) -> NewUser:
    """Read what a creation asks for."""
    return NewUser(
        email=request.user.email,
        display_name=request.user.display_name,
        role=ROLES[request.user.role],
        company_id=decode_optional_id(request.user.company_id),
        request_id=decode_optional_id(request.request_id),
    )


def decode_edit(request: user_service_pb2.UpdateUserRequest) -> tuple[uuid.UUID, UserEdit]:
    """Read whom an update is for and what it changes.

    Raises:
        UpdateMaskInvalid: the mask names what does not exist or cannot be changed.
        InvalidArgument: the id is missing, or the mask names a role and there is none.
    """
    user = request.user
    if not user.user_id:
        raise invalid_field("user.user_id", "The id is required.")
    mask = set(request.update_mask.paths)
    named = mask or {field for field in _CHANGEABLE if getattr(user, field)}
    if unknown := sorted(named - _CHANGEABLE):
        raise UpdateMaskInvalid(unknown[0])
    if "role" in named and not user.role:
        raise invalid_field("user.role", "A role is required.")
    edit = UserEdit(
        display_name=user.display_name if "display_name" in named else None,
        role=ROLES[user.role] if "role" in named else None,
        # Whoever names the fields to change doesn't mean the others, whatever they hold.
        email=None if mask else user.email or None,
        etag=user.etag,
    )
    return uuid.UUID(user.user_id), edit


def encode_page(
    page: UserPage, request: user_service_pb2.ListUsersRequest
) -> user_service_pb2.ListUsersResponse:
    """Write a page, and the token that gets the next one."""
    return user_service_pb2.ListUsersResponse(
        users=map(encode_user, page.users),
        next_page_token=encode_next_page(page.next_after, request),
    )


def encode_user(user: User) -> user_service_pb2.User:
    """Write a person as callers see them."""
    return user_service_pb2.User(
        user_id=str(user.user_id),
        company_id=str(user.company_id or ""),
        email=user.email,
        display_name=user.display_name,
        role=ROLE_NUMBERS[user.role],
        status=_STATUS_NUMBERS[user.status],
        create_time=encode_time(user.create_time),
        update_time=encode_time(user.update_time),
        etag=user.etag,
    )


def encode_user_changed(event_id: uuid.UUID, user: User) -> bytes:
    """Write the event that tells how a person stands."""
    event = user_events_pb2.UserChanged(
        event_id=str(event_id),
        user_id=str(user.user_id),
        company_id=str(user.company_id or ""),
        email=user.email,
        display_name=user.display_name,
        role=ROLE_NUMBERS[user.role],
        active=user.status is Status.ACTIVE,
        version=user.version,
        occur_time=encode_time(user.update_time),
    )
    return event.SerializeToString()
