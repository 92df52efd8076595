"""What auth has to know of companies: whether their people may come in, and on which terms."""

import enum
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from services.chassis.identity import Role


class CompanyState(enum.StrEnum):
    """Where a company is in its life."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETING = "deleting"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class SecurityPolicy:
    """What a company demands of its people's logins."""

    sessions_per_user_max: int = 0
    """0 is no limit."""
    two_factor_roles: frozenset[Role] = frozenset()


@dataclass(frozen=True, slots=True)
class CompanyChange:
    """How a company stands after a change, as companies tells it."""

    event_id: uuid.UUID
    company_id: uuid.UUID
    version: int
    state: CompanyState
    policy: SecurityPolicy


@dataclass(frozen=True, slots=True)
class Company:
    """A company; one that nobody told of yet is active and demands nothing."""

    company_id: uuid.UUID
    version: int = 0
    """The version that companies last told of; 0 before it did."""
    state: CompanyState = CompanyState.ACTIVE
    policy: SecurityPolicy = SecurityPolicy()
    closed_at: datetime | None = None
    """When its people and devices were last shut out: sessions that are older have ended."""
    lingering: bool = False
    """Whether sessions that ended with it may still have to be marked as ended."""
    erased_at: datetime | None = None
    """Since when nothing is left of its people."""

    @property
    def is_closed(self) -> bool:
        """Whether nobody of the company may come in."""
        return self.state is not CompanyState.ACTIVE

    @property
    def is_going(self) -> bool:
        """Whether the company is being erased, or is gone."""
        return self.state in {CompanyState.DELETING, CompanyState.DELETED}

    def ended(self, opened_at: datetime) -> bool:
        """Whether a session that was opened then has ended with the company's closing."""
        return self.closed_at is not None and opened_at <= self.closed_at

    def wants_second_factor(self, role: Role) -> bool:
        """Whether people of a role must have a second factor."""
        return role in self.policy.two_factor_roles

    def erased(self, now: datetime) -> "Company":
        """Return the company once nothing is left of its people."""
        return replace(self, erased_at=now)

    def changed(self, change: CompanyChange, now: datetime) -> "Company":
        """Return the company after a change."""
        after = replace(self, version=change.version, state=change.state, policy=change.policy)
        if not after.is_going:
            after = replace(after, erased_at=None)
        if after.is_closed and not self.is_closed:
            return replace(after, closed_at=now, lingering=True)
        return after
