"""The table of vehicles."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from services.chassis.creations import RequestedRow
from services.companies.storage.tables.base import CompaniesModel

PLATE_KEY = "vehicles_plate_key"
COMPANY_REFERENCE = "vehicles_company_fkey"


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
