"""How many devices a company has, for those who make dashboards of it."""

import uuid
from datetime import timedelta

from services.chassis.identity import TenantScope
from services.telemetry.domain.census import DeviceCensus
from services.telemetry.ports.census import CensusReader
from services.telemetry.ports.general import Clock

_CONNECTED_WITHIN = timedelta(minutes=5)
_ACTIVE_WITHIN = timedelta(days=1)


class CountDevices:
    """Counts the devices of a company."""

    def __init__(self, reader: CensusReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def __call__(self, company_id: uuid.UUID) -> DeviceCensus:
        """Count."""
        now = self._clock()
        scope = TenantScope.company(company_id)
        return await self._reader.read(scope, now - _CONNECTED_WITHIN, now - _ACTIVE_WITHIN)
