"""The tables of the service; rows never leave this package, since they skip validation."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from services.chassis.creations import RequestedRow
from services.chassis.outbox import outbox_table

EMAIL_KEY = "users_email_key"
REQUEST_KEY = "users_request_key"


class UsersModel(SQLModel, registry=registry(metadata=sa.MetaData())):
    """Base of the service's tables: services that share a process share no metadata."""


class UserRow(UsersModel, RequestedRow, table=True):
    """A person, and the request that made them."""

    __tablename__ = "users"
    __table_args__ = (
        sa.UniqueConstraint("email", name=EMAIL_KEY),
        sa.UniqueConstraint("request_caller_id", "request_id", name=REQUEST_KEY),
        sa.CheckConstraint("(role = 'master') = (company_id is null)", name="users_company_check"),
        sa.Index("users_company_idx", "company_id", "user_id"),
    )

    user_id: uuid.UUID = Field(primary_key=True)
    company_id: uuid.UUID | None
    email: str = Field(sa_type=sa.Text)
    display_name: str = Field(sa_type=sa.Text)
    role: str = Field(sa_type=sa.Text)
    language_code: str = Field(sa_type=sa.Text, sa_column_kwargs={"server_default": "en"})
    phone_number: str = Field(sa_type=sa.Text, sa_column_kwargs={"server_default": ""})
    status: str = Field(sa_type=sa.Text)
    version: int = Field(sa_type=sa.BigInteger)
    create_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    update_time: datetime = Field(sa_type=sa.DateTime(timezone=True))


OUTBOX = outbox_table(UsersModel.metadata)
