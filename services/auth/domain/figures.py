"""How a company's people log in, in numbers."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityFigures:
    """Numbers about a company's logins."""

    open_sessions: int
    active_people: int
    accounts: int
    second_factor_accounts: int
    invited_accounts: int
    sessions_opened: int
    failed_logins: int
    failed_accounts: int
    """How many accounts those were tried on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureMoments:
    """From when on things count."""

    now: datetime
    used_since: datetime
    """Sessions that weren't used since can't go on."""
    active_since: datetime
    opened_since: datetime
    failed_since: datetime
