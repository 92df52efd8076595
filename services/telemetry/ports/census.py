"""What counting devices needs of the store."""

from datetime import datetime
from typing import Protocol

from services.chassis.identity import TenantScope
from services.telemetry.domain.census import DeviceCensus


class CensusReader(Protocol):
    """Counts devices."""

    async def read(
        self, scope: TenantScope, connected_since: datetime, active_since: datetime
    ) -> DeviceCensus:
        """Count devices, and those that uploaded since each of two moments."""
