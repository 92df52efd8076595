"""The table of companies."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from services.chassis.creations import RequestedRow
from services.companies.storage.tables.base import CompaniesModel

COMPANY_NAME_KEY = "companies_display_name_key"


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
