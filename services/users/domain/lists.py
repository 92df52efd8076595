"""Which people a list holds, and in which order."""

import enum
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.chassis.errors import invalid_field
from services.chassis.identity import Role
from services.users.domain.people import Status, User

SORT_NAME_LENGTH_MAX = 100

SortKey = str | datetime


class OrderField(enum.StrEnum):
    """What a list may be ordered by."""

    CREATE_TIME = "create_time"
    DISPLAY_NAME = "display_name"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class UserOrder:
    """The order of a list; people with the same key are in the order of their ids."""

    field: OrderField = OrderField.CREATE_TIME
    descending: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an order such as `email desc`; oldest first if there is none.

        Raises:
            InvalidArgument: it is no order of this list.
        """
        if not text:
            return cls()
        name, _, direction = text.partition(" ")
        if name not in set(OrderField) or direction not in {"", "asc", "desc"}:
            raise invalid_field("order_by", "This list has no such order.")
        return cls(OrderField(name), direction == "desc")

    def key(self, user: User) -> SortKey:
        """Return what a person is ordered by."""
        match self.field:
            case OrderField.CREATE_TIME:
                return user.create_time
            case OrderField.DISPLAY_NAME:
                return sort_name(user)
            case OrderField.EMAIL:
                return user.email


@dataclass(frozen=True, slots=True)
class ListPosition:
    """Whom a page ends with: the next one goes on from there, whoever was added meanwhile."""

    key: SortKey
    user_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class UserQuery:
    """What is asked of a list; what is None doesn't matter."""

    company_id: uuid.UUID | None = None
    role: Role | None = None
    status: Status | None = None
    words: Sequence[str] = ()
    """Folded; each occurs in the name or in the address."""
    order: UserOrder = UserOrder()
    show_deleted: bool = False

    def matches(self, user: User) -> bool:
        """Tell whether the list holds a person whom its scope includes."""
        return (
            self.role in {None, user.role}
            and self.status in {None, user.status}
            and (self.show_deleted or user.delete_time is None)
            and all(word in search_text(user) for word in self.words)
        )


def words_of(query: str) -> Sequence[str]:
    """Read the words that are searched for.

    Raises:
        InvalidArgument: it holds what no name can.
    """
    if any(unicodedata.category(character) == "Cc" for character in query):
        raise invalid_field("query", "Control characters are not allowed.")
    return _folded(query).split()


def sort_name(user: User) -> str:
    """Return what a person is ordered by when names are: case and accents don't count.

    It is computed here and stored, so that the order is the same whatever database it is in; and
    it is bounded, since a page token carries it.
    """
    return _folded(user.display_name)[:SORT_NAME_LENGTH_MAX]


def search_text(user: User) -> str:
    """Return what a person is found by; no word reaches from the name into the address."""
    return f"{_folded(user.display_name)} {_folded(user.email)}"


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(
        character for character in decomposed if unicodedata.category(character) != "Mn"
    ).casefold()
