"""People between protobuf and the domain; pure functions, the only place that knows both."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from dashtrack.companies.internal.v1.directory_service_pb2 import (
    CompanyStanding as CompanyStandingMessage,
)
from dashtrack.companies.v1 import company_events_pb2, company_pb2
from dashtrack.users.internal.v1 import people_service_pb2
from dashtrack.users.v1 import user_events_pb2, user_service_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.errors import UpdateMaskInvalid, invalid_field
from services.chassis.fields import ROLE_NUMBERS, ROLES, decode_optional_id, encode_time
from services.chassis.page_tokens import (
    PageTokenInvalid,
    decode_page_token,
    encode_page_token,
    fingerprint,
)
from services.users.domain.companies import CompanyStanding, CompanyState
from services.users.domain.lists import (
    ListPosition,
    OrderField,
    UserOrder,
    UserQuery,
    words_of,
)
from services.users.domain.people import (
    LANGUAGE_CODE_DEFAULT,
    NewUser,
    PeopleCount,
    Status,
    User,
    UserEdit,
)
from services.users.usecases.people import UserPage

_STATUS_NUMBERS = {
    Status.ACTIVE: user_service_pb2.User.STATUS_ACTIVE,
    Status.DEACTIVATED: user_service_pb2.User.STATUS_DEACTIVATED,
}
_COMPANY_STATES = {
    # A company of before there were states.
    company_pb2.Company.STATE_UNSPECIFIED: CompanyState.ACTIVE,
    company_pb2.Company.STATE_ACTIVE: CompanyState.ACTIVE,
    company_pb2.Company.STATE_SUSPENDED: CompanyState.SUSPENDED,
    company_pb2.Company.STATE_DELETING: CompanyState.DELETING,
    company_pb2.Company.STATE_DELETED: CompanyState.DELETED,
}
_STATUSES = {number: status for status, number in _STATUS_NUMBERS.items()}
_OWN_CHANGEABLE = frozenset({"display_name", "language_code", "phone_number"})
_CHANGEABLE = _OWN_CHANGEABLE | {"role"}


def decode_new_user(request: user_service_pb2.CreateUserRequest) -> NewUser:
    """Read what a creation asks for."""
    return NewUser(
        email=request.user.email,
        display_name=request.user.display_name,
        role=ROLES[request.user.role],
        company_id=decode_optional_id(request.user.company_id),
        language_code=request.user.language_code or LANGUAGE_CODE_DEFAULT,
        phone_number=request.user.phone_number,
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
    return uuid.UUID(user.user_id), _decode_edit(user, request.update_mask, _CHANGEABLE)


def decode_own_edit(request: user_service_pb2.UpdateCurrentUserRequest) -> UserEdit:
    """Read what an update changes about whoever sends it.

    Raises:
        UpdateMaskInvalid: the mask names what does not exist or cannot be changed.
    """
    return _decode_edit(request.user, request.update_mask, _OWN_CHANGEABLE)


def decode_query(request: user_service_pb2.ListUsersRequest) -> UserQuery:
    """Read what is asked of a list.

    Raises:
        InvalidArgument: the words or the order cannot be understood.
    """
    return UserQuery(
        company_id=decode_optional_id(request.company_id),
        role=ROLES[request.role] if request.role else None,
        status=_STATUSES[request.status] if request.status else None,
        words=words_of(request.query),
        order=UserOrder.parse(request.order_by),
        show_deleted=request.show_deleted,
    )


def decode_position(
    request: user_service_pb2.ListUsersRequest, order: UserOrder
) -> ListPosition | None:
    """Read where a page starts: None at the beginning.

    Raises:
        PageTokenInvalid: the token is not one of this list with these filters and this order.
    """
    if not request.page_token:
        return None
    found = decode_page_token(request.page_token, fingerprint(request))
    try:
        key, user_id = str(found["key"]), uuid.UUID(str(found["after"]))
        if order.field is OrderField.CREATE_TIME:
            return ListPosition(datetime.fromisoformat(key), user_id)
    except (KeyError, ValueError) as err:
        raise PageTokenInvalid from err
    return ListPosition(key, user_id)


def encode_page(
    page: UserPage, request: user_service_pb2.ListUsersRequest
) -> user_service_pb2.ListUsersResponse:
    """Write a page, and the token that gets the next one."""
    response = user_service_pb2.ListUsersResponse(users=map(encode_user, page.users))
    if page.next_after is not None:
        key = page.next_after.key
        position = {
            "key": key.isoformat() if isinstance(key, datetime) else key,
            "after": str(page.next_after.user_id),
        }
        response.next_page_token = encode_page_token(position, fingerprint(request))
    return response


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
        language_code=user.language_code,
        phone_number=user.phone_number,
        delete_time=encode_time(user.delete_time) if user.delete_time else None,
        purge_time=encode_time(user.purge_time) if user.purge_time else None,
        invite_time=encode_time(user.invite_time),
        email_verified=user.email_verified,
    )


def encode_standing(user: User) -> people_service_pb2.PersonStanding:
    """Write what other services need to know of a person."""
    return people_service_pb2.PersonStanding(
        user_id=str(user.user_id),
        role=ROLE_NUMBERS[user.role],
        active=user.has_access,
        version=user.version,
    )


def encode_counts(counts: Sequence[PeopleCount]) -> people_service_pb2.CountPeopleResponse:
    """Write how many people a company has."""
    return people_service_pb2.CountPeopleResponse(
        counts=[
            people_service_pb2.PeopleCount(
                role=ROLE_NUMBERS[count.role],
                active=count.status is Status.ACTIVE,
                people=count.people,
            )
            for count in counts
        ]
    )


def encode_user_changed(
    event_id: uuid.UUID, user: User, *, invite: bool = False, purged: bool = False
) -> bytes:
    """Write the event that tells how a person stands, and what else is to be done."""
    event = user_events_pb2.UserChanged(
        event_id=str(event_id),
        user_id=str(user.user_id),
        company_id=str(user.company_id or ""),
        email=user.email,
        display_name=user.display_name,
        role=ROLE_NUMBERS[user.role],
        active=user.has_access,
        version=user.version,
        occur_time=encode_time(user.update_time),
        language_code=user.language_code,
        phone_number=user.phone_number,
        purged=purged,
        invite=invite,
    )
    return event.SerializeToString()


def decode_standing(message: CompanyStandingMessage) -> CompanyStanding | None:
    """Read how a company stands: None if it is being deleted, or was."""
    state = _COMPANY_STATES[message.state]
    if state in {CompanyState.DELETING, CompanyState.DELETED}:
        return None
    return CompanyStanding(uuid.UUID(message.company_id), state, message.quotas.users_max)


def decode_company_changed(payload: bytes) -> tuple[uuid.UUID, CompanyState]:
    """Read which company an event is about, and its state."""
    event = company_events_pb2.CompanyChanged.FromString(payload)
    return uuid.UUID(event.company_id), _COMPANY_STATES[event.state]


def encode_company_erased(event_id: uuid.UUID, company_id: uuid.UUID, now: datetime) -> bytes:
    """Write the event that tells that nobody of a company is left."""
    return company_events_pb2.CompanyErased(
        event_id=str(event_id),
        company_id=str(company_id),
        service="users",
        occur_time=encode_time(now),
    ).SerializeToString()


def _decode_edit(
    user: user_service_pb2.User, update_mask: FieldMask, changeable: frozenset[str]
) -> UserEdit:
    mask = set(update_mask.paths)
    named = mask or {field for field in changeable if getattr(user, field)}
    if unknown := sorted(named - changeable):
        raise UpdateMaskInvalid(unknown[0])
    if "role" in named and not user.role:
        raise invalid_field("user.role", "A role is required.")
    return UserEdit(
        display_name=user.display_name if "display_name" in named else None,
        role=ROLES[user.role] if "role" in named else None,
        language_code=user.language_code if "language_code" in named else None,
        phone_number=user.phone_number if "phone_number" in named else None,
        # Whoever names the fields to change doesn't mean the others, whatever they hold.
        email=None if mask else user.email or None,
        etag=user.etag,
    )
