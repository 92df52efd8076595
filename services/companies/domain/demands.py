"""What a company demands of logins, and what its alerts start with."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from services.chassis.errors import invalid_field
from services.chassis.identity import Role

SESSIONS_MOST = 1000
ALERT_DELAY_MOST_S = 30 * 24 * 3600
ALERT_EMAILS_MOST = 20
_EMAIL_LENGTH_MAX = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuritySettings:
    """What a company demands of its people's logins."""

    sessions_per_user_max: int = 0
    """How many sessions a person may have at once; 0 is no limit."""
    two_factor_roles: Sequence[Role] = ()
    """The roles whose people must have a second factor, in the order of their powers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDefaults:
    """What new alert rules of a company start with."""

    offline_after_s: int = 0
    """After which silence a device counts as offline; 0 is three of its own intervals."""
    remind_after_s: int = 0
    """When an alert that nobody acknowledged is sent again; 0 is never."""
    emails: Sequence[str] = ()
    """Who is sent alerts besides the managers."""


NO_DEMANDS = SecuritySettings()
USUAL_ALERTS = AlertDefaults()


def checked_security(settings: SecuritySettings) -> SecuritySettings:
    """Return settings with each role once.

    Raises:
        InvalidArgument: a number is out of its limits, or a role is none of a company's.
    """
    _require("security.sessions_per_user_max", settings.sessions_per_user_max, SESSIONS_MOST)
    roles: Collection[Role] = frozenset(settings.two_factor_roles)
    if Role.MASTER in roles:
        raise invalid_field("company.security.two_factor_roles", "A company has no masters.")
    return SecuritySettings(
        sessions_per_user_max=settings.sessions_per_user_max,
        two_factor_roles=tuple(role for role in Role if role in roles),
    )


def checked_alert_defaults(defaults: AlertDefaults) -> AlertDefaults:
    """Return defaults with each address once.

    Raises:
        InvalidArgument: a number is out of its limits, or there are too many addresses.
    """
    _require("alert_defaults.offline_after_s", defaults.offline_after_s, ALERT_DELAY_MOST_S)
    _require("alert_defaults.remind_after_s", defaults.remind_after_s, ALERT_DELAY_MOST_S)
    field = "company.alert_defaults.emails"
    emails = tuple(dict.fromkeys(email.strip() for email in defaults.emails))
    if len(emails) > ALERT_EMAILS_MOST:
        raise invalid_field(field, f"{ALERT_EMAILS_MOST} addresses are possible.")
    for email in emails:
        if "@" not in email or len(email) > _EMAIL_LENGTH_MAX or not email.isprintable():
            raise invalid_field(field, "This is not an e-mail address.")
    return AlertDefaults(
        offline_after_s=defaults.offline_after_s,
        remind_after_s=defaults.remind_after_s,
        emails=emails,
    )


def _require(field: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise invalid_field(f"company.{field}", f"0 to {most} is possible.")
