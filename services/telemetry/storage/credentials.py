"""What boards prove themselves with, in PostgreSQL."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.telemetry.domain.companies import CompanyState
from services.telemetry.domain.devices import Credentials, DeviceStatus
from services.telemetry.storage.tables import CompanyRow, DeviceRow, DirectoryRow


class PostgresCredentialStore:
    """What boards prove themselves with, in one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def by_claim(self, claim_hash: bytes) -> Credentials | None:
        """Find and lock the device that this claim code belongs to."""
        return await self._find(col(DirectoryRow.claim_hash) == claim_hash)

    async def by_id(self, device_id: uuid.UUID) -> Credentials | None:
        """Find and lock the device with this id."""
        return await self._find(col(DirectoryRow.device_id) == device_id)

    async def record_claim(self, device: Credentials, nonce: bytes, secret_hash: bytes) -> None:
        """Keep what the board was given."""
        values: dict[str, object] = {"nonce": nonce, "secret_hash": secret_hash}
        if device.status is not DeviceStatus.CLAIMED:
            values |= {
                "status": DeviceStatus.CLAIMED.value,
                "version": col(DeviceRow.version) + 1,
            }
        await self._update(device, **values)

    async def record_secret_use(self, device: Credentials, at: datetime) -> None:
        """Note that the board has its secret."""
        await self._update(device, secret_used_at=at, claim_hash=None, nonce=None)
        await point_claim(self._session, device.device_id, None)

    async def _find(self, condition: sa.ColumnElement[bool]) -> Credentials | None:
        query = (
            select(DeviceRow, col(CompanyRow.state))
            .join(
                DirectoryRow,
                sa.and_(
                    col(DirectoryRow.company_id) == col(DeviceRow.company_id),
                    col(DirectoryRow.device_id) == col(DeviceRow.device_id),
                ),
            )
            .join(CompanyRow, col(CompanyRow.company_id) == col(DeviceRow.company_id), isouter=True)
            .where(condition)
            .with_for_update(of=DeviceRow)
            .execution_options(populate_existing=True)
        )
        found = (await self._session.exec(query)).one_or_none()
        return None if found is None else _credentials(*found)

    async def _update(self, device: Credentials, **values: object) -> None:
        await self._session.execute(
            sa.update(DeviceRow)
            .where(
                col(DeviceRow.company_id) == device.company_id,
                col(DeviceRow.device_id) == device.device_id,
            )
            .values(**values)
        )


async def point_claim(
    session: AsyncSession, device_id: uuid.UUID, claim_hash: bytes | None
) -> None:
    """Have a claim code lead to a device, or none."""
    await session.execute(
        sa.update(DirectoryRow)
        .where(col(DirectoryRow.device_id) == device_id)
        .values(claim_hash=claim_hash)
    )


def _credentials(row: DeviceRow, company_state: str | None) -> Credentials:
    return Credentials(
        device_id=row.device_id,
        company_id=row.company_id,
        hardware_id=row.hardware_id,
        status=DeviceStatus(row.status),
        claim_hash=row.claim_hash,
        claim_expires_at=row.claim_expires_at,
        nonce=row.nonce,
        secret_hash=row.secret_hash,
        secret_used=row.secret_used_at is not None,
        company_closed=company_state not in (None, CompanyState.ACTIVE.value),
    )
