"""The anchors of boots: written once, never changed, so that a retry meets the same time."""

import uuid

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.telemetry.storage.moments import signed
from services.telemetry.storage.tables import DEVICE_BOOT, ErasureRow


class PostgresBootAnchors:
    """When boards without a clock were booted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settle(
        self, company_id: uuid.UUID, device_id: uuid.UUID, boot_id: int, anchor_ms: int
    ) -> int:
        """Commit the anchor of a boot unless it has one; return the one that holds."""
        boot = {"company_id": company_id, "device_id": device_id, "boot_id": signed(boot_id)}
        row = [
            sa.bindparam(name, value, DEVICE_BOOT.c[name].type)
            for name, value in (boot | {"anchor_ms": anchor_ms}).items()
        ]
        erased = sa.exists().where(col(ErasureRow.company_id) == company_id)
        write = (
            insert(DEVICE_BOOT)
            .from_select([part.key for part in row], sa.select(*row).where(~erased))
            .on_conflict_do_nothing()
        )
        # In a statement after the insert: a rival's row is committed and visible by then.
        read = sa.select(DEVICE_BOOT.c.anchor_ms).where(
            *(DEVICE_BOOT.c[name] == value for name, value in boot.items())
        )
        async with self._database.transaction() as session:
            await session.execute(write)
            settled_ms = (await session.execute(read)).scalar_one_or_none()
        if settled_ms is None:
            raise Unavailable("The company is being erased.")
        return int(settled_ms)
