"""How things are called."""

import unicodedata

from services.chassis.errors import invalid_field

DISPLAY_NAME_LENGTH_MAX = 100


def checked_name(field: str, display_name: str) -> str:
    """Return a name that can be shown, without the space around it.

    Raises:
        InvalidArgument: it is empty, too long, or holds what can't be shown.
    """
    name = display_name.strip()
    if not 1 <= len(name) <= DISPLAY_NAME_LENGTH_MAX:
        raise invalid_field(field, "1 to 100 characters are needed.")
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise invalid_field(field, "Control characters are not allowed.")
    return name
