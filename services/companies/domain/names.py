"""How things are called."""

import unicodedata

from services.chassis.errors import invalid_field

DISPLAY_NAME_LENGTH_MAX = 100
REMARK_LENGTH_MAX = 500


def checked_name(field: str, display_name: str) -> str:
    """Return a name that can be shown, without the space around it.

    Raises:
        InvalidArgument: it is empty, too long, or holds what can't be shown.
    """
    name = display_name.strip()
    if not 1 <= len(name) <= DISPLAY_NAME_LENGTH_MAX:
        raise invalid_field(field, "1 to 100 characters are needed.")
    _require_no_control(field, name)
    return name


def checked_remark(field: str, remark: str) -> str:
    """Return what somebody wrote, without the space around it; it may be nothing.

    Raises:
        InvalidArgument: it is too long, or holds what can't be shown.
    """
    text = remark.strip()
    if len(text) > REMARK_LENGTH_MAX:
        raise invalid_field(field, f"{REMARK_LENGTH_MAX} characters are possible.")
    _require_no_control(field, text.replace("\n", " "))
    return text


def _require_no_control(field: str, text: str) -> None:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise invalid_field(field, "Control characters are not allowed.")
