"""Where a company is and what it speaks."""

import functools
import zoneinfo

from services.chassis.errors import invalid_field

TIME_ZONE_DEFAULT = "UTC"
LANGUAGE_CODES = ("en", "pt")
LANGUAGE_CODE_DEFAULT = LANGUAGE_CODES[0]

# Listed like time zones, but one is wherever the server stands and the other is a placeholder.
_NO_PLACES = frozenset({"localtime", "Factory"})


def checked_time_zone(time_zone: str) -> str:
    """Return a time zone that the IANA database lists: the default if there is none.

    Raises:
        InvalidArgument: it lists no such zone.
    """
    if time_zone and time_zone not in _time_zones():
        raise invalid_field("company.time_zone", "This is not an IANA time zone.")
    return time_zone or TIME_ZONE_DEFAULT


def checked_language_code(language_code: str) -> str:
    """Return a language that is spoken here: the default if there is none.

    Raises:
        InvalidArgument: it isn't spoken here.
    """
    if language_code and language_code not in LANGUAGE_CODES:
        raise invalid_field("company.language_code", "This language is not spoken here.")
    return language_code or LANGUAGE_CODE_DEFAULT


@functools.cache
def _time_zones() -> frozenset[str]:
    # Names that the database lists, rather than files that it opens: a name is never a path.
    return frozenset(zoneinfo.available_timezones()) - _NO_PLACES
