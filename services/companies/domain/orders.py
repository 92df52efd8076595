"""Orders of lists, as callers write them."""

import enum
from typing import TypeVar

from services.chassis.errors import invalid_field

F = TypeVar("F", bound=enum.StrEnum)


def parsed_order(text: str, fields: type[F]) -> tuple[F, bool]:
    """Read an order such as `display_name desc`: by which field, and whether it descends.

    Raises:
        InvalidArgument: it is no order of this list.
    """
    name, _, direction = text.partition(" ")
    if name not in set(fields) or direction not in {"", "asc", "desc"}:
        raise invalid_field("order_by", "This list has no such order.")
    return fields(name), direction == "desc"
