"""What to call the program behind a session, from what it says of itself.

A label helps its owner to recognise a session. Nothing is decided by it, since a program may say
what it likes.
"""

import re
from collections.abc import Sequence

_OTHER_LENGTH_MAX = 40

# The first that matches counts: browsers claim to be the ones that they descend from.
_PROGRAMS: Sequence[tuple[str, str]] = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Sequence[tuple[str, str]] = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_PRODUCT = re.compile(r"[^\s/;()]+")


def device_label(user_agent: str) -> str:
    """Name a device in few words: `Firefox on Windows`, `curl`; empty if it says nothing."""
    program = _first(_PROGRAMS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    if program is None:
        product = _PRODUCT.search(user_agent)
        program = product.group()[:_OTHER_LENGTH_MAX] if product else ""
        program = "Browser" if program == "Mozilla" else program
    return f"{program} on {system}" if program and system else program


def _first(names: Sequence[tuple[str, str]], user_agent: str) -> str | None:
    return next((name for sign, name in names if sign in user_agent), None)
