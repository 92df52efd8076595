"""The table of vehicles."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from services.chassis.creations import RequestedRow
from services.companies.storage.tables.base import CODE_POINT_TEXT, CompaniesModel

PLATE_KEY = "vehicles_plate_key"
COMPANY_REFERENCE = "vehicles_company_fkey"
TEAM_REFERENCE = "vehicles_team_fkey"


class VehicleRow(CompaniesModel, RequestedRow, table=True):
    """A vehicle, and the request that made it."""

    __tablename__ = "vehicles"
    __table_args__ = (
        sa.UniqueConstraint("company_id", "plate", name=PLATE_KEY),
        sa.UniqueConstraint("request_caller_id", "request_id", name="vehicles_request_key"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name=COMPANY_REFERENCE),
        # With the company, so that no vehicle is ever in another company's team.
        sa.ForeignKeyConstraint(
            ["company_id", "team_id"], ["teams.company_id", "teams.team_id"], name=TEAM_REFERENCE
        ),
        sa.Index("vehicles_company_idx", "company_id", "create_time", "vehicle_id"),
        sa.Index("vehicles_company_sort_name_idx", "company_id", "sort_name", "vehicle_id"),
        sa.Index("vehicles_company_odometer_idx", "company_id", "odometer_m", "vehicle_id"),
        sa.Index("vehicles_create_time_idx", "create_time", "vehicle_id"),
        sa.Index("vehicles_team_idx", "team_id", postgresql_where=sa.text("team_id is not null")),
        sa.Index(
            "vehicles_search_idx",
            "search_text",
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
        ),
    )

    vehicle_id: uuid.UUID = Field(primary_key=True)
    company_id: uuid.UUID
    plate: str = Field(sa_type=CODE_POINT_TEXT)
    display_name: str = Field(sa_type=sa.Text)
    type: str = Field(sa_type=sa.Text, sa_column_kwargs={"server_default": "other"})
    status: str = Field(sa_type=sa.Text, sa_column_kwargs={"server_default": "active"})
    odometer_m: int = Field(sa_type=sa.BigInteger, sa_column_kwargs={"server_default": "0"})
    vin: str = Field(sa_type=sa.Text, sa_column_kwargs={"server_default": ""})
    team_id: uuid.UUID | None
    version: int = Field(sa_type=sa.BigInteger, sa_column_kwargs={"server_default": "1"})
    create_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    update_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    sort_name: str = Field(sa_type=CODE_POINT_TEXT, sa_column_kwargs={"server_default": ""})
    search_text: str = Field(sa_type=CODE_POINT_TEXT, sa_column_kwargs={"server_default": ""})
