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

# Ordered by code points, as Python does, whatever the database's language.
_CODE_POINT_TEXT = sa.Text(collation="C")


class UsersModel(SQLModel, registry=registry(metadata=sa.MetaData())):
    """Base of the service's tables: services that share a process share no metadata."""


class UserRow(UsersModel, RequestedRow, table=True):
    """A person, and the request that made them."""

    __tablename__ = "users"
    __table_args__ = (
        sa.UniqueConstraint("email", name=EMAIL_KEY),
        sa.UniqueConstraint("request_caller_id", "request_id", name=REQUEST_KEY),
        sa.CheckConstraint("(role = 'master') = (company_id is null)", name="users_company_check"),
        sa.Index("users_create_time_idx", "create_time", "user_id"),
        sa.Index("users_sort_name_idx", "sort_name", "user_id"),
        sa.Index("users_company_create_time_idx", "company_id", "create_time", "user_id"),
        sa.Index("users_company_sort_name_idx", "company_id", "sort_name", "user_id"),
        sa.Index("users_company_email_idx", "company_id", "email"),
        sa.Index(
            "users_purge_idx", "purge_time", postgresql_where=sa.text("purge_time is not null")
        ),
        sa.Index(
            "users_search_idx",
            "search_text",
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
        ),
    )

    user_id: uuid.UUID = Field(primary_key=True)
    company_id: uuid.UUID | None
    email: str = Field(sa_type=_CODE_POINT_TEXT)
    display_name: str = Field(sa_type=sa.Text)
    role: str = Field(sa_type=sa.Text)
    language_code: str = Field(sa_type=sa.Text, sa_column_kwargs={"server_default": "en"})
    phone_number: str = Field(sa_type=sa.Text, sa_column_kwargs={"server_default": ""})
    status: str = Field(sa_type=sa.Text)
    version: int = Field(sa_type=sa.BigInteger)
    create_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    update_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    invite_time: datetime | None = Field(sa_type=sa.DateTime(timezone=True))
    email_verified: bool = Field(sa_column_kwargs={"server_default": sa.false()})
    delete_time: datetime | None = Field(sa_type=sa.DateTime(timezone=True))
    purge_time: datetime | None = Field(sa_type=sa.DateTime(timezone=True))
    sort_name: str = Field(sa_type=_CODE_POINT_TEXT, sa_column_kwargs={"server_default": ""})
    search_text: str = Field(sa_type=_CODE_POINT_TEXT, sa_column_kwargs={"server_default": ""})


class ErasureRow(UsersModel, table=True):
    """A company whose people are being erased, or were; what is left of it here."""

    __tablename__ = "company_erasures"

    company_id: uuid.UUID = Field(primary_key=True)
    request_time: datetime = Field(sa_type=sa.DateTime(timezone=True))
    erase_time: datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))


OUTBOX = outbox_table(UsersModel.metadata)
