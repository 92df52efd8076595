"""The registry of devices in PostgreSQL, and the transactions that it lives in."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from services.chassis.database import Database
from services.chassis.identity import TenantScope
from services.chassis.locks import lock_work
from services.telemetry.domain.devices import (
    Credentials,
    Device,
    DeviceFacts,
    DeviceStatus,
    Registration,
)
from services.telemetry.domain.errors import CompanyNotFound, DeviceNotFound, HardwareIdTaken
from services.telemetry.storage.tables import (
    DEVICE_LATEST,
    DEVICE_SPAN,
    DeviceRow,
    DirectoryRow,
)


class PostgresDeviceRepository:
    """Devices of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def registered_by(
        self, scope: TenantScope, company_id: uuid.UUID, request_id: uuid.UUID
    ) -> tuple[Device, bytes] | None:
        """Find what an earlier try of a request registered."""
        # The lock makes tries that run at the same time see one another's outcome.
        await lock_work(self._session, f"creation/{company_id}/{request_id}")
        query = _devices(scope).where(
            col(DeviceRow.company_id) == company_id, col(DeviceRow.request_id) == request_id
        )
        found = (await self._session.exec(query)).one_or_none()
        if found is None:
            return None
        return _device(*found), found[0].request_digest or b""

    async def add(self, scope: TenantScope, device: Device, registration: Registration) -> None:
        """Add a device."""
        if not scope.includes(device.company_id):
            raise CompanyNotFound(device.company_id)
        taken = sa.dialects.postgresql.insert(DirectoryRow).values(
            hardware_id=device.hardware_id,
            device_id=device.device_id,
            company_id=device.company_id,
        )
        entry = taken.on_conflict_do_nothing(index_elements=["hardware_id"])
        added = await self._session.execute(entry.returning(col(DirectoryRow.device_id)))
        if added.one_or_none() is None:
            raise HardwareIdTaken(device.hardware_id)
        self._session.add(
            DeviceRow(
                company_id=device.company_id,
                device_id=device.device_id,
                hardware_id=device.hardware_id,
                display_name=device.display_name,
                vehicle_id=device.vehicle_id,
                status=device.status.value,
                created_at=device.created_at,
                request_id=registration.request_id,
                request_digest=registration.digest,
            )
        )
        await self._session.flush()

    async def set_claim(
        self, scope: TenantScope, device: Device, claim_hash: bytes, expires_at: datetime
    ) -> None:
        """Replace the device's claim code."""
        await self._session.execute(
            sa.update(DeviceRow)
            .where(
                _within(scope),
                col(DeviceRow.company_id) == device.company_id,
                col(DeviceRow.device_id) == device.device_id,
            )
            .values(claim_hash=claim_hash, claim_expires_at=expires_at)
        )
        await _point_claim(self._session, device.device_id, claim_hash)

    async def get(self, scope: TenantScope, device_id: uuid.UUID) -> Device:
        """Return a device."""
        query = _devices(scope).where(col(DeviceRow.device_id) == device_id)
        found = (await self._session.exec(query)).one_or_none()
        if found is None:
            raise DeviceNotFound(device_id)
        return _device(*found)

    async def list_after(
        self, scope: TenantScope, after: uuid.UUID | None, limit: int
    ) -> Sequence[Device]:
        """Return devices in the order of their ids."""
        query = _devices(scope).order_by(col(DeviceRow.device_id)).limit(limit)
        if after is not None:
            query = query.where(col(DeviceRow.device_id) > after)
        return [_device(*found) for found in await self._session.exec(query)]

    async def disable(self, scope: TenantScope, device_id: uuid.UUID) -> Device:
        """Shut a device out and forget its claim code."""
        statement = (
            sa.update(DeviceRow)
            .where(_within(scope), col(DeviceRow.device_id) == device_id)
            .values(status=DeviceStatus.DISABLED.value, claim_hash=None)
            .returning(col(DeviceRow.device_id))
        )
        if (await self._session.execute(statement)).one_or_none() is None:
            raise DeviceNotFound(device_id)
        await _point_claim(self._session, device_id, None)
        return await self.get(scope, device_id)


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
        await self._update(
            device, status=DeviceStatus.CLAIMED.value, nonce=nonce, secret_hash=secret_hash
        )

    async def record_secret_use(self, device: Credentials, at: datetime) -> None:
        """Note that the board has its secret."""
        await self._update(device, secret_used_at=at, claim_hash=None, nonce=None)
        await _point_claim(self._session, device.device_id, None)

    async def _find(self, condition: sa.ColumnElement[bool]) -> Credentials | None:
        query = (
            select(DeviceRow)
            .join(
                DirectoryRow,
                sa.and_(
                    col(DirectoryRow.company_id) == col(DeviceRow.company_id),
                    col(DirectoryRow.device_id) == col(DeviceRow.device_id),
                ),
            )
            .where(condition)
            .with_for_update(of=DeviceRow)
            .execution_options(populate_existing=True)
        )
        row = (await self._session.exec(query)).one_or_none()
        return None if row is None else _credentials(row)

    async def _update(self, device: Credentials, **values: object) -> None:
        await self._session.execute(
            sa.update(DeviceRow)
            .where(
                col(DeviceRow.company_id) == device.company_id,
                col(DeviceRow.device_id) == device.device_id,
            )
            .values(**values)
        )


@dataclass(frozen=True, slots=True)
class PostgresRegistryWork:
    """What one database transaction reaches."""

    devices: PostgresDeviceRepository
    credentials: PostgresCredentialStore


class PostgresRegistry:
    """Begins database transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresRegistryWork]:
        """Open a transaction."""
        async with self._database.transaction() as session:
            yield PostgresRegistryWork(
                PostgresDeviceRepository(session), PostgresCredentialStore(session)
            )


class PostgresFacts:
    """The facts about devices that uploads need."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, device_id: uuid.UUID) -> DeviceFacts | None:
        """Return the facts about a device."""
        query = (
            sa.select(
                col(DeviceRow.company_id),
                col(DeviceRow.status),
                sa.func.coalesce(DEVICE_SPAN.c.span_bound_ms, 0),
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
            .where(col(DirectoryRow.device_id) == device_id)
        )
        async with self._database.transaction() as session:
            found = (await session.execute(query)).one_or_none()
        if found is None:
            return None
        company_id, status, span_bound_ms = found
        return DeviceFacts(company_id, status == DeviceStatus.DISABLED, span_bound_ms)


def _within(scope: TenantScope) -> sa.ColumnElement[bool]:
    if scope.company_id is None:
        return sa.true()
    return col(DeviceRow.company_id) == scope.company_id


def _devices(scope: TenantScope) -> Select[DeviceRow, datetime | None]:
    return (
        select(DeviceRow, DEVICE_LATEST.c.last_upload_at)
        .join(
            DEVICE_LATEST,
            sa.and_(
                DEVICE_LATEST.c.company_id == col(DeviceRow.company_id),
                DEVICE_LATEST.c.device_id == col(DeviceRow.device_id),
            ),
            isouter=True,
        )
        .where(_within(scope))
        # Rows are changed by statements: what the session has seen before may be outdated.
        .execution_options(populate_existing=True)
    )


async def _point_claim(
    session: AsyncSession, device_id: uuid.UUID, claim_hash: bytes | None
) -> None:
    await session.execute(
        sa.update(DirectoryRow)
        .where(col(DirectoryRow.device_id) == device_id)
        .values(claim_hash=claim_hash)
    )


def _device(row: DeviceRow, last_upload_at: datetime | None) -> Device:
    return Device(
        device_id=row.device_id,
        company_id=row.company_id,
        hardware_id=row.hardware_id,
        display_name=row.display_name,
        vehicle_id=row.vehicle_id,
        status=DeviceStatus(row.status),
        created_at=row.created_at,
        last_upload_at=last_upload_at,
    )


def _credentials(row: DeviceRow) -> Credentials:
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
    )
