"""The tables of people's times on vehicles, and of how people stood when last heard of."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from services.companies.storage.tables.base import CompaniesModel

DRIVER_KEY = "assignments_driver_key"
PERSON_KEY = "assignments_person_key"

_PRESENT = sa.text("end_time is null")


class AssignmentRow(CompaniesModel, table=True):
    """A person's time on a vehicle; it outlives both."""

    __tablename__ = "assignments"
    __table_args__ = (
        # A vehicle has one driver at a time, and a person is on one vehicle at a time.
        sa.Index(
            DRIVER_KEY,
            "vehicle_id",
            unique=True,
            postgresql_where=sa.text("duty = 'driver' and end_time is null"),
        ),
        sa.Index(PERSON_KEY, "user_id", unique=True, postgresql_where=_PRESENT),
        sa.Index("assignments_company_idx", "company_id", "assignment_id"),
        sa.Index("assignments_vehicle_idx", "vehicle_id", "assignment_id"),
        sa.Index("assignments_user_idx", "user_id", "assignment_id"),
        sa.Index(
            "assignments_present_idx", "company_id", "assignment_id", postgresql_where=_PRESENT
        ),
        sa.Index("assignments_start_idx", "company_id", "start_time"),
    )

    assignment_id: uuid.UUID = Field(primary_key=True)
    company_id: uuid.UUID
    vehicle_id: uuid.UUID
    plate: str = Field(sa_type=sa.Text)
    user_id: uuid.UUID | None
    duty: str = Field(sa_type=sa.Text)
    start_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    end_time: datetime | None = Field(sa_type=sa.DateTime(timezone=True))


class PersonRow(CompaniesModel, table=True):
    """How a person stood when they were last heard of; nothing personal."""

    __tablename__ = "people"
    __table_args__ = (sa.Index("people_company_idx", "company_id"),)

    user_id: uuid.UUID = Field(primary_key=True)
    company_id: uuid.UUID
    role: str = Field(sa_type=sa.Text)
    active: bool
    version: int = Field(sa_type=sa.BigInteger)
