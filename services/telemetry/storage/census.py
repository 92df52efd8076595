"""Numbers of devices from PostgreSQL."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col

from services.chassis.database import Database
from services.chassis.identity import TenantScope
from services.telemetry.domain.census import DeviceCensus
from services.telemetry.domain.devices import DeviceStatus
from services.telemetry.storage.tables import DEVICE_LATEST, DeviceRow


class PostgresCensusReader:
    """Counts devices by what is known of each, never by what they sent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(
        self, scope: TenantScope, connected_since: datetime, active_since: datetime
    ) -> DeviceCensus:
        """Count devices."""
        uploaded_at, status = DEVICE_LATEST.c.last_upload_at, col(DeviceRow.status)
        claimed = status == DeviceStatus.CLAIMED.value
        disabled = status == DeviceStatus.DISABLED.value
        conditions = {
            "registered": status == DeviceStatus.REGISTERED.value,
            "claimed": claimed,
            "disabled": disabled,
            "connected": sa.and_(claimed, uploaded_at > connected_since),
            "active_last_day": sa.and_(claimed, uploaded_at > active_since),
            "on_vehicles": sa.and_(~disabled, col(DeviceRow.vehicle_id).is_not(None)),
        }
        counts = [sa.func.count().filter(one).label(name) for name, one in conditions.items()]
        latest = sa.and_(
            DEVICE_LATEST.c.company_id == col(DeviceRow.company_id),
            DEVICE_LATEST.c.device_id == col(DeviceRow.device_id),
        )
        query = sa.select(*counts).select_from(DeviceRow).outerjoin(DEVICE_LATEST, latest)
        if scope.company_id is not None:
            query = query.where(col(DeviceRow.company_id) == scope.company_id)
        async with self._database.transaction() as session:
            row = (await session.execute(query)).one()
        return DeviceCensus(**row._asdict())
