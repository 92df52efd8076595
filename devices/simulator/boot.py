"""A board's sense of time within one boot."""

import enum

from devices.simulator.clock import Clock
from devices.simulator.samples import Samples
from devices.simulator.wire import TimeBase


class TimeSource(enum.StrEnum):
    """How a board knows the time."""

    CLOCK = "clock"
    """A clock of its own: it sends absolute times."""
    BOOT = "boot"
    """None: it sends times since its boot, and the server anchors them."""
    SERVER = "server"
    """None until the server has told it the time; from then on it sends absolute times."""


class BootTime:
    """Turns the times of samples into those that the board can know."""

    def __init__(self, clock: Clock, source: TimeSource, booted_unix_ms: int | None = None) -> None:
        now_ms = clock.unix_ms()
        self._booted_unix_ms = now_ms if booted_unix_ms is None else booted_unix_ms
        self._clock = clock
        self._source = source
        self._started_s = clock.monotonic_s() - (now_ms - self._booted_unix_ms) / 1000
        self._server_boot_unix_ms: int | None = None

    def uptime_ms(self) -> int:
        """Return the time since the boot."""
        return round((self._clock.monotonic_s() - self._started_s) * 1000)

    def hear_server_time(self, server_unix_ms: int) -> None:
        """Take the server's time as the board's own, once a boot: times must not jump back."""
        if self._server_boot_unix_ms is None:
            self._server_boot_unix_ms = server_unix_ms - self.uptime_ms()

    def stamped(self, samples: Samples) -> tuple[Samples, TimeBase]:
        """Return the samples with the times that the board would give them."""
        if self._source is TimeSource.CLOCK:
            return samples, TimeBase.UNIX
        since_boot = samples.shifted(-self._booted_unix_ms)
        if self._source is TimeSource.SERVER and self._server_boot_unix_ms is not None:
            return since_boot.shifted(self._server_boot_unix_ms), TimeBase.UNIX
        return since_boot, TimeBase.UPTIME
