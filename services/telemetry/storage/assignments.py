"""Which device was on which vehicle when, in PostgreSQL."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from services.chassis.identity import TenantScope
from services.chassis.locks import lock_work
from services.telemetry.domain.devices import Assignment, Device
from services.telemetry.domain.errors import DeviceNotFound, VehicleNotFound
from services.telemetry.ports.registry import AssignmentQuery
from services.telemetry.storage.moments import moment
from services.telemetry.storage.tables import AssignmentRow, ClosedVehicleRow

_INSTANT = timedelta(microseconds=1)
# A company that is being erased gets no row.
_CLOSE = sa.text("""
INSERT INTO closed_vehicle (company_id, vehicle_id)
SELECT :company_id, :vehicle_id
WHERE NOT EXISTS (SELECT FROM company_erasure AS e WHERE e.company_id = :company_id)
ON CONFLICT DO NOTHING
""")


class PostgresAssignmentRepository:
    """Assignments of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def record(self, scope: TenantScope, device: Device, at: datetime) -> None:
        """Note where a device is mounted from now on, and end where it was."""
        if not scope.includes(device.company_id):
            raise DeviceNotFound(device.device_id)
        last = (await self._session.exec(_last_of(device))).one_or_none()
        if last is not None:
            # Clocks of replicas differ; what comes later begins later all the same.
            at = max(at, last.end_at or last.start_at + _INSTANT)
            if last.end_at is None:
                last.end_at = at
                self._session.add(last)
        if device.vehicle_id is not None:
            await self._require_open(device.company_id, device.vehicle_id)
            self._session.add(
                AssignmentRow(
                    company_id=device.company_id,
                    device_id=device.device_id,
                    vehicle_id=device.vehicle_id,
                    start_at=at,
                )
            )
        await self._session.flush()

    async def close(self, scope: TenantScope, vehicle_id: uuid.UUID) -> None:
        """Have nothing mounted on a vehicle of one company any more."""
        if scope.company_id is None:
            message = "A vehicle is one company's."
            raise ValueError(message)
        await _lock(self._session, scope.company_id, vehicle_id)
        vehicle = {"company_id": scope.company_id, "vehicle_id": vehicle_id}
        await self._session.execute(_CLOSE, vehicle)

    async def _require_open(self, company_id: uuid.UUID, vehicle_id: uuid.UUID) -> None:
        await _lock(self._session, company_id, vehicle_id)
        query = select(func.count()).where(
            col(ClosedVehicleRow.company_id) == company_id,
            col(ClosedVehicleRow.vehicle_id) == vehicle_id,
        )
        if (await self._session.exec(query)).one():
            raise VehicleNotFound(vehicle_id)

    async def list_newest(self, scope: TenantScope, query: AssignmentQuery) -> Sequence[Assignment]:
        """Return assignments that a query asks for, those that began last first."""
        order = col(AssignmentRow.start_at).desc(), col(AssignmentRow.device_id).desc()
        statement = (
            select(AssignmentRow)
            .where(_within(scope), *_matching(query))
            .order_by(*order)
            .limit(query.limit)
        )
        return [_assignment(row) for row in await self._session.exec(statement)]


async def _lock(session: AsyncSession, company_id: uuid.UUID, vehicle_id: uuid.UUID) -> None:
    await lock_work(session, f"vehicle/{company_id}/{vehicle_id}")


def _last_of(device: Device) -> SelectOfScalar[AssignmentRow]:
    return (
        select(AssignmentRow)
        .where(
            col(AssignmentRow.company_id) == device.company_id,
            col(AssignmentRow.device_id) == device.device_id,
        )
        .order_by(col(AssignmentRow.start_at).desc())
        .limit(1)
    )


def _within(scope: TenantScope) -> sa.ColumnElement[bool]:
    if scope.company_id is None:
        return sa.true()
    return col(AssignmentRow.company_id) == scope.company_id


def _matching(query: AssignmentQuery) -> Iterator[sa.ColumnElement[bool]]:
    start_at, end_at = col(AssignmentRow.start_at), col(AssignmentRow.end_at)
    if query.device_id is not None:
        yield col(AssignmentRow.device_id) == query.device_id
    if query.vehicle_id is not None:
        yield col(AssignmentRow.vehicle_id) == query.vehicle_id
    if query.start_ms is not None:
        yield end_at.is_(None) | (end_at > moment(query.start_ms))
    if query.end_ms is not None:
        yield start_at < moment(query.end_ms)
    if query.after is not None:
        place = sa.tuple_(start_at, col(AssignmentRow.device_id))
        yield place < (query.after.start_at, query.after.device_id)


def _assignment(row: AssignmentRow) -> Assignment:
    return Assignment(
        company_id=row.company_id,
        device_id=row.device_id,
        vehicle_id=row.vehicle_id,
        start_at=row.start_at,
        end_at=row.end_at,
    )
