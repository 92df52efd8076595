"""Auth between protobuf and the domain."""

import uuid
from typing import Any

import pytest
from dashtrack.options.v1 import options_pb2
from dashtrack.users.v1.user_events_pb2 import UserChanged

from services.auth import codec
from services.auth.domain.sessions import SessionGrant
from services.chassis.errors import InvalidArgument
from services.chassis.identity import Role

EVENT: dict[str, Any] = {
    "event_id": str(uuid.uuid4()),
    "user_id": str(uuid.uuid4()),
    "company_id": str(uuid.uuid4()),
    "email": "ada@example.com",
    "display_name": "Ada",
    "role": options_pb2.ROLE_DRIVER,
    "active": True,
    "version": 7,
}


def test_an_event_is_read_in_full() -> None:
    """Each field ends up where it belongs."""
    change = codec.decode_user_changed(UserChanged(**EVENT).SerializeToString())

    assert str(change.event_id) == EVENT["event_id"]
    assert str(change.user_id) == EVENT["user_id"]
    assert str(change.company_id) == EVENT["company_id"]
    assert (change.email, change.display_name) == ("ada@example.com", "Ada")
    assert (change.role, change.active, change.version) == (Role.DRIVER, True, 7)
    assert not change.invite
    wish = UserChanged(**EVENT, invite=True)
    assert codec.decode_user_changed(wish.SerializeToString()).invite


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_id": "nobody"},
        {"role": options_pb2.ROLE_UNSPECIFIED},
        {"role": 99},
        {"role": options_pb2.ROLE_MASTER},
        {"company_id": ""},
        {"email": ""},
        {"email": "ada@example.com\nBcc: eve@example.com"},
    ],
)
def test_an_event_that_makes_no_sense_is_not_applied(wrong: dict[str, Any]) -> None:
    """It stays in the stream, for a replica that may know better."""
    with pytest.raises(ValueError, match=r"\w"):
        codec.decode_user_changed(UserChanged(**(EVENT | wrong)).SerializeToString())


def test_a_purge_says_nothing_personal() -> None:
    """No address is needed to forget somebody."""
    purge = {"email": "", "display_name": "", "active": False, "purged": True}

    change = codec.decode_user_changed(UserChanged(**(EVENT | purge)).SerializeToString())

    assert (change.purged, change.active, change.email) == (True, False, "")
    usual = codec.decode_user_changed(UserChanged(**EVENT).SerializeToString())
    assert not usual.purged


def test_a_master_belongs_to_no_company() -> None:
    """The field is empty then, in both directions."""
    event = UserChanged(**(EVENT | {"role": options_pb2.ROLE_MASTER, "company_id": ""}))
    grant = SessionGrant("access", 900, "refresh", uuid.uuid4(), Role.MASTER, None)

    assert codec.decode_user_changed(event.SerializeToString()).company_id is None
    session = codec.encode_session(grant)
    assert (session.company_id, session.role) == ("", options_pb2.ROLE_MASTER)
    assert session.token_type == "Bearer"


@pytest.mark.parametrize("after", ["-1", "1.5", "abc", "9" * 30, " 1", "\u0661"])
def test_a_position_that_was_never_given_out_is_refused(after: str) -> None:
    """As a mistake of the caller's."""
    with pytest.raises(InvalidArgument):
        codec.decode_position(after)


def test_the_empty_position_is_the_beginning() -> None:
    """A reader that knows nothing reads all."""
    assert codec.decode_position("") == 0
    assert codec.decode_position("42") == 42
