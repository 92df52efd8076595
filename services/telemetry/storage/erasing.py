"""Erases what is held of companies that are being deleted: bounded steps, each a transaction.

Nothing can be added any more once an erasure is requested (see `companies`), so that a step that
finds nothing left of a table has seen the last of it.
"""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.audit.entries import note_resource
from services.chassis.database import Database
from services.telemetry.storage.log_folder import fold_alone
from services.telemetry.storage.outgoing import announce_erased
from services.telemetry.storage.partitions import attached_tables
from services.telemetry.storage.tables import CompanyRow, ErasureRow

_STEP_ROWS = 2000

# Devices first: whoever claims, exchanges or moves one holds its row, and is waited for.
_DEVICES = """
WITH gone AS (
    DELETE FROM device WHERE company_id = :company_id AND device_id = ANY (ARRAY(
        SELECT device_id FROM device WHERE company_id = :company_id
        ORDER BY device_id LIMIT :limit))
    RETURNING device_id
), unlisted AS (
    DELETE FROM device_directory WHERE device_id IN (SELECT device_id FROM gone)
)
SELECT count(*) FROM gone
"""
_ROWS = """
WITH gone AS (
    DELETE FROM {table} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {table} WHERE company_id = :company_id LIMIT :limit))
    RETURNING 1
)
SELECT count(*) FROM gone
"""
_OF_DEVICES = (
    *("device_vehicle_history", "closed_vehicle"),
    *("device_boot", "device_span", "device_sensors"),
)
# In this order, and while nobody folds: whoever folds writes newest values of what the log names.
_OF_LOG = ("ingest_log", "log_cursor", "device_latest")


class PostgresEraser:
    """Erases companies, one step after the other."""

    def __init__(self, database: Database, *, step_rows: int = _STEP_ROWS) -> None:
        self._database = database
        self._step_rows = step_rows

    async def erase_some(self, now: datetime) -> bool:
        """Take a step; False if there is no company to be erased that nobody else is at."""
        async with self._database.transaction() as session:
            erasure = (await session.exec(_NEXT)).one_or_none()
            if erasure is None:
                return False
            note_resource("company", erasure.company_id, erasure.company_id)
            if not await self._erase(session, erasure.company_id):
                erasure.erased_at = now
                session.add(erasure)
                await session.execute(
                    sa.delete(CompanyRow).where(col(CompanyRow.company_id) == erasure.company_id)
                )
                await announce_erased(session, erasure.company_id, now)
        return True

    async def _erase(self, session: AsyncSession, company_id: uuid.UUID) -> int:
        """Delete rows up to the limit; return how many."""
        left = self._step_rows
        left -= await _run(session, _DEVICES, company_id, left)
        for table in (*_OF_DEVICES, *await attached_tables(session)):
            if left:
                left -= await _run(session, _ROWS.format(table=table), company_id, left)
        if left:
            await fold_alone(session)
            for table in _OF_LOG:
                if left:
                    left -= await _run(session, _ROWS.format(table=table), company_id, left)
        return self._step_rows - left


_NEXT = (
    select(ErasureRow)
    .where(col(ErasureRow.erased_at).is_(None))
    .order_by(col(ErasureRow.requested_at))
    .limit(1)
    .with_for_update(skip_locked=True)
)


async def _run(session: AsyncSession, statement: str, company_id: uuid.UUID, limit: int) -> int:
    found = await session.execute(sa.text(statement), {"company_id": company_id, "limit": limit})
    deleted: int = found.scalar_one()
    return deleted
