"""How much of what companies may have."""

import dataclasses
from dataclasses import dataclass

from services.chassis.errors import invalid_field

_COUNT_MAX = 1_000_000
_MOST = {
    "users_max": _COUNT_MAX,
    "vehicles_max": _COUNT_MAX,
    "devices_max": _COUNT_MAX,
    "sensors_per_device_max": 1000,
    "retention_d": 36_500,
    "uploads_per_minute_max": 10_000_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Limits on what a company may use; 0 is no limit."""

    users_max: int = 0
    vehicles_max: int = 0
    devices_max: int = 0
    sensors_per_device_max: int = 0
    retention_d: int = 0
    uploads_per_minute_max: int = 0

    def checked(self, field: str) -> "Quotas":
        """Return these, if they are in their limits; `field` is where they came from.

        Raises:
            InvalidArgument: one is negative or beyond what there can be.
        """
        for name, value in dataclasses.asdict(self).items():
            if not 0 <= value <= _MOST[name]:
                raise invalid_field(f"{field}.{name}", f"0 to {_MOST[name]} is possible.")
        return self


NO_LIMITS = Quotas()
