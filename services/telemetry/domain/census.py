"""How many devices a company has, and how they stand."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCensus:
    """Numbers of devices."""

    registered: int
    claimed: int
    disabled: int
    connected: int
    """Claimed ones that uploaded just now."""
    active_last_day: int
    """Claimed ones that uploaded in the last day."""
    on_vehicles: int
    """Those on a vehicle that are not disabled."""
