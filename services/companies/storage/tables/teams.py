"""The tables of teams and of people's times in them."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from services.chassis.creations import RequestedRow
from services.companies.storage.tables.base import CompaniesModel

TEAM_NAME_KEY = "teams_display_name_key"
TEAM_COMPANY_REFERENCE = "teams_company_fkey"
MEMBER_KEY = "team_memberships_current_key"


class TeamRow(CompaniesModel, RequestedRow, table=True):
    """A team, and the request that made it."""

    __tablename__ = "teams"
    __table_args__ = (
        sa.Index(TEAM_NAME_KEY, "company_id", sa.text("lower(display_name)"), unique=True),
        sa.UniqueConstraint("request_caller_id", "request_id", name="teams_request_key"),
        # What vehicles refer to; it serves lists as well.
        sa.UniqueConstraint("company_id", "team_id", name="teams_company_key"),
        sa.ForeignKeyConstraint(
            ["company_id"], ["companies.company_id"], name=TEAM_COMPANY_REFERENCE
        ),
    )

    team_id: uuid.UUID = Field(primary_key=True)
    company_id: uuid.UUID
    display_name: str = Field(sa_type=sa.Text)
    version: int = Field(sa_type=sa.BigInteger)
    create_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    update_time: datetime = Field(sa_type=sa.DateTime(timezone=True))


class MembershipRow(CompaniesModel, table=True):
    """A person's time in a team; it outlives both."""

    __tablename__ = "team_memberships"
    __table_args__ = (
        # A person is in one team at a time.
        sa.Index(MEMBER_KEY, "user_id", unique=True, postgresql_where=sa.text("end_time is null")),
        sa.Index("team_memberships_company_idx", "company_id", "membership_id"),
        sa.Index("team_memberships_team_idx", "team_id", "membership_id"),
        sa.Index("team_memberships_user_idx", "user_id", "membership_id"),
        sa.Index(
            "team_memberships_present_idx",
            "company_id",
            "membership_id",
            postgresql_where=sa.text("end_time is null"),
        ),
    )

    membership_id: uuid.UUID = Field(primary_key=True)
    company_id: uuid.UUID
    team_id: uuid.UUID
    team_name: str = Field(sa_type=sa.Text)
    user_id: uuid.UUID | None
    role: str = Field(sa_type=sa.Text)
    start_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    end_time: datetime | None = Field(sa_type=sa.DateTime(timezone=True))
