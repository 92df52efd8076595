"""The newest value of everything that a device sends."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

SENSORS_KEPT_MAX = 1024
"""A device that keeps inventing sensors has its oldest forgotten here; history keeps them."""

NO_VALUE = math.nan
"""Stands in for the value of a sensor that never had one."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest value of one sensor."""

    time_ms: int
    value: float

    @property
    def is_missing(self) -> bool:
        """Tell whether the sensor was sent, but never with a value."""
        return math.isnan(self.value)

    def replaces(self, known: "Newest") -> bool:
        """Tell whether this is newer than what is known; of the same time the later one counts."""
        return not self.is_missing and (known.is_missing or known.time_ms <= self.time_ms)


@dataclass(frozen=True, slots=True)
class Fix:
    """The newest position; degrees times 10^7."""

    time_ms: int
    latitude_e7: int
    longitude_e7: int


@dataclass(slots=True)
class Latest:
    """The newest of one device, or what one batch adds to it."""

    sensors: dict[str, Newest] = field(default_factory=dict)
    fix: Fix | None = None
    uploaded_at_ms: int = 0

    def absorb(self, later: "Latest") -> None:
        """Take over whatever is newer; of the same time, what was committed later."""
        for sensor, newest in later.sensors.items():
            known = self.sensors.get(sensor)
            if known is None or newest.replaces(known):
                self.sensors[sensor] = newest
        if later.fix and (self.fix is None or self.fix.time_ms <= later.fix.time_ms):
            self.fix = later.fix
        self.uploaded_at_ms = max(self.uploaded_at_ms, later.uploaded_at_ms)
        while len(self.sensors) > SENSORS_KEPT_MAX:
            del self.sensors[_oldest(self.sensors)]


def _oldest(sensors: Mapping[str, Newest]) -> str:
    return min(sensors, key=lambda sensor: sensors[sensor].time_ms)
