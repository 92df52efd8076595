"""What is known of a company when people are added to it."""

import enum
import uuid
from dataclasses import dataclass

from services.chassis.errors import require_quota
from services.users.domain.errors import CompanySuspended


class CompanyState(enum.StrEnum):
    """Whether a company may be worked with."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETING = "deleting"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class CompanyStanding:
    """Whether a company may have people added, and how many it may have: 0 is no limit."""

    company_id: uuid.UUID
    state: CompanyState = CompanyState.ACTIVE
    users_max: int = 0

    def require_room(self, used: int) -> None:
        """Make sure that one more person may be added to so many.

        Raises:
            CompanySuspended: nobody is added until the company is resumed, whoever asks.
            QuotaExceeded: the plan allows no more.
        """
        if self.state is CompanyState.SUSPENDED:
            raise CompanySuspended(self.company_id)
        require_quota("users", limit=self.users_max, used=used)
