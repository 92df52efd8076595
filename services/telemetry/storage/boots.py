"""The anchors of boots: written once, never changed, so that a retry meets the same time."""

import uuid

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.chassis.database import Database
from services.telemetry.storage.moments import signed
from services.telemetry.storage.tables import DEVICE_BOOT


class PostgresBootAnchors:
    """When boards without a clock were booted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settle(
        self, company_id: uuid.UUID, device_id: uuid.UUID, boot_id: int, anchor_ms: int
    ) -> int:
        """Commit the anchor of a boot unless it has one; return the one that holds."""
        boot = {"company_id": company_id, "device_id": device_id, "boot_id": signed(boot_id)}
        write = insert(DEVICE_BOOT).values(**boot, anchor_ms=anchor_ms).on_conflict_do_nothing()
        # In a statement after the insert: a rival's row is committed and visible by then.
        read = sa.select(DEVICE_BOOT.c.anchor_ms).where(
            *(DEVICE_BOOT.c[name] == value for name, value in boot.items())
        )
        async with self._database.transaction() as session:
            await session.execute(write)
            settled_ms: int = (await session.execute(read)).scalar_one()
        return settled_ms
