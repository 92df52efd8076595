"""The table of plans."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.chassis.creations import RequestedRow
from services.companies.storage.tables.base import CODE_POINT_TEXT, CompaniesModel

PLAN_KEY = "plans_pkey"


class PlanRow(CompaniesModel, RequestedRow, table=True):
    """A plan, and the request that made it."""

    __tablename__ = "plans"
    __table_args__ = (
        sa.PrimaryKeyConstraint("plan_id", name=PLAN_KEY),
        sa.UniqueConstraint("request_caller_id", "request_id", name="plans_request_key"),
    )

    plan_id: str = Field(primary_key=True, sa_type=CODE_POINT_TEXT)
    display_name: str = Field(sa_type=sa.Text)
    quotas: dict[str, Any] = Field(sa_type=JSONB)
    retired: bool
    version: int = Field(sa_type=sa.BigInteger)
    create_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    update_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
