"""The registry of devices in PostgreSQL, and the transactions that it lives in."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from services.chassis.database import Database
from services.chassis.identity import TenantScope
from services.chassis.locks import lock_work
from services.telemetry.domain.devices import Device, DeviceStatus, Registration
from services.telemetry.domain.errors import CompanyNotFound, DeviceNotFound, HardwareIdTaken
from services.telemetry.storage.assignments import PostgresAssignmentRepository
from services.telemetry.storage.companies import is_erased, lock_company
from services.telemetry.storage.credentials import PostgresCredentialStore, point_claim
from services.telemetry.storage.tables import DEVICE_LATEST, DeviceRow, DirectoryRow


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

    async def count_for_change(self, scope: TenantScope, company_id: uuid.UUID) -> int:
        """Count a company's devices, and keep others from adding any."""
        await lock_company(self._session, company_id)
        if not scope.includes(company_id) or await is_erased(self._session, company_id):
            raise CompanyNotFound(company_id)
        query = select(func.count()).where(
            col(DeviceRow.company_id) == company_id,
            col(DeviceRow.status) != DeviceStatus.DISABLED.value,
        )
        return (await self._session.exec(query)).one()

    async def get_for_change(self, scope: TenantScope, device_id: uuid.UUID) -> Device:
        """Return a device and lock it."""
        query = _devices(scope).where(col(DeviceRow.device_id) == device_id)
        return await self._one(query.with_for_update(of=DeviceRow), device_id)

    async def list_on_vehicle_for_change(
        self, scope: TenantScope, vehicle_id: uuid.UUID, limit: int
    ) -> Sequence[Device]:
        """Return devices on a vehicle and lock them."""
        query = (
            _devices(scope)
            .where(col(DeviceRow.vehicle_id) == vehicle_id)
            .order_by(col(DeviceRow.device_id))
            .limit(limit)
            .with_for_update(of=DeviceRow)
        )
        return [_device(*found) for found in await self._session.exec(query)]

    async def save(self, scope: TenantScope, device: Device) -> None:
        """Store the next version of a device."""
        await self._session.execute(
            sa.update(DeviceRow)
            .where(
                _within(scope),
                col(DeviceRow.company_id) == device.company_id,
                col(DeviceRow.device_id) == device.device_id,
            )
            .values(
                display_name=device.display_name,
                vehicle_id=device.vehicle_id,
                version=device.version,
            )
        )

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
        await point_claim(self._session, device.device_id, claim_hash)

    async def get(self, scope: TenantScope, device_id: uuid.UUID) -> Device:
        """Return a device."""
        return await self._one(
            _devices(scope).where(col(DeviceRow.device_id) == device_id), device_id
        )

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
        await self._set_status(scope, device_id, DeviceStatus.DISABLED, claim_hash=None)
        await point_claim(self._session, device_id, None)
        return await self.get(scope, device_id)

    async def enable(self, scope: TenantScope, device_id: uuid.UUID) -> Device:
        """Let a disabled device in again."""
        query = select(DeviceRow.secret_used_at).where(
            _within(scope), col(DeviceRow.device_id) == device_id
        )
        if (await self._session.exec(query)).one_or_none() is not None:
            await self._set_status(scope, device_id, DeviceStatus.CLAIMED)
        else:
            # Its claim code is forgotten, and whether the board ever got its secret is unknown.
            anew = {"nonce": None, "secret_hash": None}
            await self._set_status(scope, device_id, DeviceStatus.REGISTERED, **anew)
        return await self.get(scope, device_id)

    async def _set_status(
        self, scope: TenantScope, device_id: uuid.UUID, status: DeviceStatus, **values: object
    ) -> None:
        row = col(DeviceRow.status)
        statement = (
            sa.update(DeviceRow)
            .where(_within(scope), col(DeviceRow.device_id) == device_id)
            .values(
                status=status.value,
                version=col(DeviceRow.version) + sa.case((row == status.value, 0), else_=1),
                **values,
            )
            .returning(col(DeviceRow.device_id))
        )
        if (await self._session.execute(statement)).one_or_none() is None:
            raise DeviceNotFound(device_id)

    async def _one(self, query: Select[DeviceRow, datetime | None], device_id: uuid.UUID) -> Device:
        found = (await self._session.exec(query)).one_or_none()
        if found is None:
            raise DeviceNotFound(device_id)
        return _device(*found)


@dataclass(frozen=True, slots=True)
class PostgresRegistryWork:
    """What one database transaction reaches."""

    devices: PostgresDeviceRepository
    assignments: PostgresAssignmentRepository
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
                PostgresDeviceRepository(session),
                PostgresAssignmentRepository(session),
                PostgresCredentialStore(session),
            )


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


def _device(row: DeviceRow, last_upload_at: datetime | None) -> Device:
    return Device(
        device_id=row.device_id,
        company_id=row.company_id,
        hardware_id=row.hardware_id,
        display_name=row.display_name,
        vehicle_id=row.vehicle_id,
        status=DeviceStatus(row.status),
        created_at=row.created_at,
        version=row.version,
        last_upload_at=last_upload_at,
    )
