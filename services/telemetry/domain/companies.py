"""What telemetry keeps of a company: its state and what it may use."""

import enum
import uuid
from dataclasses import dataclass, replace

from services.chassis.errors import require_quota
from services.telemetry.domain.batches import TimeWindow
from services.telemetry.domain.errors import CompanySuspended

_MS_PER_DAY = 86_400_000
_WAIT_MAX_S = 300.0


class CompanyState(enum.StrEnum):
    """Whether a company may be worked with."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETING = "deleting"
    DELETED = "deleted"

    @property
    def gone(self) -> bool:
        """Whether the company is being deleted, or was."""
        return self in {CompanyState.DELETING, CompanyState.DELETED}


@dataclass(frozen=True, slots=True)
class Quotas:
    """What a company may use; 0 is no limit."""

    devices_max: int = 0
    sensors_per_device_max: int = 0
    retention_d: int = 0
    uploads_per_minute_max: int = 0


@dataclass(frozen=True, slots=True)
class CompanyStanding:
    """How a company stands, as of one version; 0 is a version that nobody has told of."""

    company_id: uuid.UUID
    version: int = 0
    state: CompanyState = CompanyState.ACTIVE
    quotas: Quotas = Quotas()
    time_zone: str = "UTC"

    def require_room(self, used: int) -> None:
        """Make sure that one more device may be added to so many.

        Raises:
            CompanySuspended: nothing is added until the company is resumed, whoever asks.
            QuotaExceeded: the plan allows no more.
        """
        if self.state is CompanyState.SUSPENDED:
            raise CompanySuspended(self.company_id)
        require_quota("devices", limit=self.quotas.devices_max, used=used)


class UploadBudget:
    """A bucket that holds a minute's uploads and fills up evenly."""

    __slots__ = ("_filled_at_s", "_left", "_promised_s", "limit")

    def __init__(self, limit: int, now_s: float) -> None:
        """Start full."""
        self.limit = limit
        self._left = float(limit)
        self._filled_at_s = now_s
        self._promised_s = 0.0

    def take(self, now_s: float) -> float:
        """Take an upload out; return for how long to wait if there is none left, else 0.

        Those who are refused one after the other get times one after the other, so that a fleet
        does not come back as one.
        """
        self._fill(now_s)
        if self._left >= 1.0:
            self._left -= 1.0
            return 0.0
        interval_s = 60 / self.limit
        first_s = now_s + (1.0 - self._left) * interval_s
        promised_s = max(first_s, self._promised_s + interval_s)
        self._promised_s = min(promised_s, max(first_s, now_s + _WAIT_MAX_S))
        return self._promised_s - now_s

    def resize(self, limit: int, now_s: float) -> None:
        """Change the limit; the bucket stays as full as it is by share."""
        self._fill(now_s)
        self._left *= limit / self.limit
        self.limit = limit

    def _fill(self, now_s: float) -> None:
        earned = (now_s - self._filled_at_s) * self.limit / 60
        self._left = min(self.limit, self._left + earned)
        self._filled_at_s = now_s


@dataclass(slots=True, weakref_slot=True)
class CompanyFacts:
    """What uploads need to know of a company: one object, which all its devices share."""

    company_id: uuid.UUID
    window: TimeWindow
    version: int = -1
    closed: bool = False
    """Whether uploads are to come back later."""
    sensors_max: int = 0
    budget: UploadBudget | None = None

    def follow(self, standing: CompanyStanding, widest: TimeWindow, now_s: float) -> None:
        """Take in how the company stands, unless something newer is known."""
        if standing.version < self.version:
            return
        quotas = standing.quotas
        self.version = standing.version
        self.closed = standing.state is not CompanyState.ACTIVE
        self.sensors_max = quotas.sensors_per_device_max
        self.window = narrowed(widest, quotas.retention_d)
        limit = quotas.uploads_per_minute_max
        if not limit:
            self.budget = None
        elif self.budget is None:
            self.budget = UploadBudget(limit, now_s)
        elif self.budget.limit != limit:
            self.budget.resize(limit, now_s)


def narrowed(widest: TimeWindow, retention_d: int) -> TimeWindow:
    """Return the window of a company whose plan keeps readings for so many days."""
    if not retention_d or retention_d * _MS_PER_DAY >= widest.back_ms:
        return widest
    return replace(widest, back_ms=retention_d * _MS_PER_DAY)
