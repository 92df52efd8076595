"""What uploads need to know of their device, in one query."""

import uuid

import sqlalchemy as sa
from sqlmodel import col

from services.chassis.database import Database
from services.telemetry.domain.devices import DeviceStatus
from services.telemetry.ports.ingest import KnownDevice
from services.telemetry.storage.companies import standing_of
from services.telemetry.storage.tables import (
    DEVICE_SENSORS,
    DEVICE_SPAN,
    CompanyRow,
    DeviceRow,
    DirectoryRow,
)


class PostgresFacts:
    """The facts about devices, and their companies, that uploads need."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, device_id: uuid.UUID) -> KnownDevice | None:
        """Return what is known of a device and its company."""
        query = (
            sa.select(
                col(DeviceRow.company_id),
                col(DeviceRow.status),
                sa.func.coalesce(DEVICE_SPAN.c.span_bound_ms, 0).label("span_bound_ms"),
                DEVICE_SENSORS.c.sensors,
                CompanyRow,
            )
            .select_from(DirectoryRow)
            .join(
                DeviceRow,
                sa.and_(
                    col(DeviceRow.company_id) == col(DirectoryRow.company_id),
                    col(DeviceRow.device_id) == col(DirectoryRow.device_id),
                ),
            )
            .outerjoin(
                DEVICE_SPAN,
                sa.and_(
                    DEVICE_SPAN.c.company_id == col(DeviceRow.company_id),
                    DEVICE_SPAN.c.device_id == col(DeviceRow.device_id),
                ),
            )
            .outerjoin(
                DEVICE_SENSORS,
                sa.and_(
                    DEVICE_SENSORS.c.company_id == col(DeviceRow.company_id),
                    DEVICE_SENSORS.c.device_id == col(DeviceRow.device_id),
                ),
            )
            .outerjoin(CompanyRow, col(CompanyRow.company_id) == col(DeviceRow.company_id))
            .where(col(DirectoryRow.device_id) == device_id)
        )
        async with self._database.transaction() as session:
            found = (await session.execute(query)).one_or_none()
            if found is None:
                return None
            company: CompanyRow | None = found.CompanyRow
            standing = None if company is None else standing_of(company)
        return KnownDevice(
            company_id=found.company_id,
            disabled=found.status == DeviceStatus.DISABLED,
            span_bound_ms=found.span_bound_ms,
            sensors=frozenset(found.sensors or ()),
            standing=standing,
        )
