"""The tables of the service; rows never leave this package, since they skip validation."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from services.chassis.creations import RequestedRow

COMPANY_NAME_KEY = "companies_display_name_key"
PLATE_KEY = "vehicles_plate_key"
COMPANY_REFERENCE = "vehicles_company_fkey"


class CompaniesModel(SQLModel, registry=registry(metadata=sa.MetaData())):
    """Base of the service's tables: services that share a process share no metadata."""


class CompanyRow(CompaniesModel, RequestedRow, table=True):
    """A company, and the request that made it."""

    __tablename__ = "companies"
    __table_args__ = (
        sa.Index(COMPANY_NAME_KEY, sa.text("lower(display_name)"), unique=True),
        sa.UniqueConstraint("request_caller_id", "request_id", name="companies_request_key"),
    )

    company_id: uuid.UUID = Field(primary_key=True)
    display_name: str = Field(sa_type=sa.Text)
    time_zone: str = Field(sa_type=sa.Text)
    language_code: str = Field(sa_type=sa.Text)
    version: int = Field(sa_type=sa.BigInteger)
    create_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    update_time: datetime = Field(sa_type=sa.DateTime(timezone=True))


class VehicleRow(CompaniesModel, RequestedRow, table=True):
    """A vehicle, and the request that made it."""

    __tablename__ = "vehicles"
    __table_args__ = (
        sa.UniqueConstraint("company_id", "plate", name=PLATE_KEY),
        sa.UniqueConstraint("request_caller_id", "request_id", name="vehicles_request_key"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name=COMPANY_REFERENCE),
        sa.Index("vehicles_company_idx", "company_id", "vehicle_id"),
    )

    vehicle_id: uuid.UUID = Field(primary_key=True)
    company_id: uuid.UUID
    plate: str = Field(sa_type=sa.Text)
    display_name: str = Field(sa_type=sa.Text)
    create_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    update_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
