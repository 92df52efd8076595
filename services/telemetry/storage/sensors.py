"""Which sensors of a device count towards its company's quota."""

import uuid
from collections.abc import Set as AbstractSet

import sqlalchemy as sa

from services.chassis.database import Database
from services.chassis.errors import QuotaExceeded, Unavailable
from services.telemetry.storage.tables import DEVICE_SENSORS

# What a device sent before anybody counted is known from its newest values. A company that is being
# erased gets no row.
_BEGIN = sa.text("""
INSERT INTO device_sensors (company_id, device_id, sensors)
SELECT :company_id, :device_id,
       coalesce((SELECT l.sensors FROM device_latest AS l
                 WHERE l.company_id = :company_id AND l.device_id = :device_id), '{}')
WHERE NOT EXISTS (SELECT FROM company_erasure AS e WHERE e.company_id = :company_id)
ON CONFLICT DO NOTHING
""")


class PostgresSensors:
    """Counts the sensors of devices, one upload of a device at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def admit(
        self, company_id: uuid.UUID, device_id: uuid.UUID, sensors: AbstractSet[str], limit: int
    ) -> frozenset[str]:
        """Count further sensors of a device, all or none; return those that are counted now."""
        own = (
            DEVICE_SENSORS.c.company_id == company_id,
            DEVICE_SENSORS.c.device_id == device_id,
        )
        async with self._database.transaction() as session:
            await session.execute(_BEGIN, {"company_id": company_id, "device_id": device_id})
            query = sa.select(DEVICE_SENSORS.c.sensors).where(*own).with_for_update()
            found = (await session.execute(query)).scalar_one_or_none()
            if found is None:
                raise Unavailable("The device is being erased.")
            known = frozenset(found)
            counted = known | sensors
            if counted == known:
                return known
            if len(counted) > limit:
                raise QuotaExceeded("sensors", limit=limit, used=len(known))
            values = sa.update(DEVICE_SENSORS).where(*own).values(sensors=sorted(counted))
            await session.execute(values)
        return counted
