"""People's times on vehicles in PostgreSQL."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import translate_database_error
from services.chassis.errors import DomainError
from services.chassis.identity import TenantScope
from services.companies.domain.assignments import Assignment, AssignmentQuery, Duty
from services.companies.domain.errors import CompanyNotFound
from services.companies.domain.fleet_errors import (
    AssignmentNotFound,
    PersonHasVehicle,
    VehicleHasDriver,
)
from services.companies.storage.scopes import within
from services.companies.storage.tables.assignments import DRIVER_KEY, PERSON_KEY, AssignmentRow


class PostgresAssignmentRepository:
    """Assignments of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, scope: TenantScope, assignment: Assignment) -> None:
        """Store an assignment that begins."""
        if not scope.includes(assignment.company_id):
            raise CompanyNotFound(assignment.company_id)
        self._session.add(AssignmentRow(**asdict(assignment) | {"duty": assignment.duty.value}))
        try:
            await self._session.flush()
        except IntegrityError as err:
            meaning = _meaning(err, assignment)
            if meaning is None:
                raise
            raise meaning from err

    async def get_for_change(self, scope: TenantScope, assignment_id: uuid.UUID) -> Assignment:
        """Read an assignment and lock it."""
        query = (
            select(AssignmentRow)
            .where(_within(scope), col(AssignmentRow.assignment_id) == assignment_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        row = (await self._session.exec(query)).one_or_none()
        if row is None:
            raise AssignmentNotFound(assignment_id)
        return _assignment(row)

    async def current_for_change(
        self, scope: TenantScope, vehicle_id: uuid.UUID | None, user_id: uuid.UUID | None
    ) -> Sequence[Assignment]:
        """Read who is on a vehicle and where a person is, and lock it."""
        wanted = {AssignmentRow.vehicle_id: vehicle_id, AssignmentRow.user_id: user_id}
        named = [col(column) == value for column, value in wanted.items() if value is not None]
        query = (
            select(AssignmentRow)
            .where(_within(scope), col(AssignmentRow.end_time).is_(None), sa.or_(*named))
            # One order for everybody: two people who change places wait for each other only once.
            .order_by(col(AssignmentRow.assignment_id))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return [_assignment(row) for row in await self._session.exec(query)]

    async def end(self, scope: TenantScope, assignment: Assignment) -> None:
        """Store that an assignment has ended."""
        statement = sa.update(AssignmentRow).where(
            _within(scope),
            col(AssignmentRow.assignment_id) == assignment.assignment_id,
            col(AssignmentRow.end_time).is_(None),
        )
        await self._session.exec(statement.values(end_time=assignment.end_time))

    async def list_before(
        self, scope: TenantScope, query: AssignmentQuery, before: uuid.UUID | None, limit: int
    ) -> Sequence[Assignment]:
        """Read assignments, newest first."""
        key = col(AssignmentRow.assignment_id)
        statement = select(AssignmentRow).where(_within(scope), *_matching(query))
        if before is not None:
            statement = statement.where(key < before)
        statement = statement.order_by(key.desc()).limit(limit)
        current = statement.execution_options(populate_existing=True)
        return [_assignment(row) for row in await self._session.exec(current)]

    async def is_on(self, scope: TenantScope, vehicle_id: uuid.UUID, user_id: uuid.UUID) -> bool:
        """Tell whether a person is on a vehicle."""
        query = select(col(AssignmentRow.assignment_id)).where(
            _within(scope),
            col(AssignmentRow.vehicle_id) == vehicle_id,
            col(AssignmentRow.user_id) == user_id,
            col(AssignmentRow.end_time).is_(None),
        )
        return (await self._session.exec(query)).one_or_none() is not None

    async def forget_person(self, scope: TenantScope, user_id: uuid.UUID) -> None:
        """Keep the times, and no longer whose they were."""
        statement = sa.update(AssignmentRow).where(
            _within(scope), col(AssignmentRow.user_id) == user_id
        )
        await self._session.exec(statement.values(user_id=None))


def _within(scope: TenantScope) -> sa.ColumnElement[bool]:
    return within(col(AssignmentRow.company_id), scope)


def _matching(query: AssignmentQuery) -> Iterator[sa.ColumnElement[bool]]:
    if query.company_id is not None:
        yield col(AssignmentRow.company_id) == query.company_id
    if query.vehicle_id is not None:
        yield col(AssignmentRow.vehicle_id) == query.vehicle_id
    if query.user_id is not None:
        yield col(AssignmentRow.user_id) == query.user_id
    if query.current_only:
        yield col(AssignmentRow.end_time).is_(None)


def _meaning(err: IntegrityError, assignment: Assignment) -> DomainError | None:
    user_id = assignment.user_id
    return translate_database_error(
        err,
        {
            DRIVER_KEY: lambda: VehicleHasDriver(assignment.vehicle_id),
            **({PERSON_KEY: lambda: PersonHasVehicle(user_id)} if user_id else {}),
        },
    )


def _assignment(row: AssignmentRow) -> Assignment:
    return Assignment(
        assignment_id=row.assignment_id,
        company_id=row.company_id,
        vehicle_id=row.vehicle_id,
        plate=row.plate,
        user_id=row.user_id,
        duty=Duty(row.duty),
        start_time=row.start_time,
        end_time=row.end_time,
    )
