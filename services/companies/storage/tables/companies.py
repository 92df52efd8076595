"""The tables of companies and of how their deletions go."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.chassis.creations import RequestedRow
from services.companies.storage.tables.base import CODE_POINT_TEXT, CompaniesModel

COMPANY_NAME_KEY = "companies_display_name_key"

_TIME = sa.DateTime(timezone=True)


def _default(value: str) -> dict[str, Any]:
    # What a row of an older version of the service gets.
    return {"server_default": value}


class CompanyRow(CompaniesModel, RequestedRow, table=True):
    """A company, and the request that made it."""

    __tablename__ = "companies"
    __table_args__ = (
        sa.Index(
            COMPANY_NAME_KEY,
            sa.text("lower(display_name)"),
            unique=True,
            postgresql_where=sa.text("state <> 'deleted'"),
        ),
        sa.UniqueConstraint("request_caller_id", "request_id", name="companies_request_key"),
        sa.Index("companies_create_time_idx", "create_time", "company_id"),
        sa.Index("companies_sort_name_idx", "sort_name", "company_id"),
        sa.Index("companies_plan_idx", "plan_id", "plan_version"),
        sa.Index(
            "companies_deleting_idx", "company_id", postgresql_where=sa.text("state = 'deleting'")
        ),
        sa.Index(
            "companies_search_idx",
            "search_text",
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
        ),
    )

    company_id: uuid.UUID = Field(primary_key=True)
    display_name: str = Field(sa_type=sa.Text)
    time_zone: str = Field(sa_type=sa.Text)
    language_code: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text, sa_column_kwargs=_default("active"))
    plan_id: str = Field(sa_type=sa.Text, sa_column_kwargs=_default("standard"))
    plan_version: int = Field(sa_type=sa.BigInteger, sa_column_kwargs=_default("0"))
    quotas: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs=_default("{}"))
    security: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs=_default("{}"))
    alert_defaults: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs=_default("{}"))
    suspend_time: datetime | None = Field(default=None, sa_type=_TIME)
    suspend_reason: str | None = Field(default=None, sa_type=sa.Text)
    deletion_request_time: datetime | None = Field(default=None, sa_type=_TIME)
    deletion_ask_time: datetime | None = Field(default=None, sa_type=_TIME)
    deletion_complete_time: datetime | None = Field(default=None, sa_type=_TIME)
    version: int = Field(sa_type=sa.BigInteger)
    create_time: datetime = Field(sa_type=_TIME)
    update_time: datetime = Field(sa_type=_TIME)
    sort_name: str = Field(sa_type=CODE_POINT_TEXT, sa_column_kwargs=_default(""))
    search_text: str = Field(sa_type=CODE_POINT_TEXT, sa_column_kwargs=_default(""))


class DeletionStepRow(CompaniesModel, table=True):
    """What one service has to erase of a company, and when it had."""

    __tablename__ = "company_deletion_steps"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["company_id"], ["companies.company_id"], name="company_deletion_steps_company_fkey"
        ),
    )

    company_id: uuid.UUID = Field(primary_key=True)
    service: str = Field(primary_key=True, sa_type=sa.Text)
    done_time: datetime | None = Field(default=None, sa_type=_TIME)
