"""The tables of the audit log: every key begins with the company, and nothing is numbered by it."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from services.auth.storage.tables import AuthModel

_TIME = sa.DateTime(timezone=True)
IS_FAILED_LOGIN = (
    "action = 'auth.AuthService/Login' and outcome in ('CREDENTIALS_INVALID', 'TWO_FACTOR_INVALID')"
)
"""What a query has to say, word for word, for the index of failed logins to serve it."""


class AuditChainRow(AuthModel, table=True):
    """How far a company's log has come, and the sealed key to its personal data."""

    __tablename__ = "audit_chains"

    company_id: uuid.UUID = Field(primary_key=True)
    sequence: int = Field(sa_type=sa.BigInteger)
    hash: bytes
    signed_sequence: int = Field(sa_type=sa.BigInteger)
    pruned_sequence: int = Field(sa_type=sa.BigInteger)
    sealed_key: bytes | None
    erased_at: datetime | None = Field(sa_type=_TIME)


class AuditRecordRow(AuthModel, table=True):
    """A record in its place; address and program are sealed."""

    __tablename__ = "audit_records"
    __table_args__ = (
        sa.Index("audit_records_occurred_idx", "company_id", "occurred_at"),
        sa.Index("audit_records_actor_idx", "company_id", "actor_id", "sequence"),
        sa.Index(
            "audit_records_failed_logins_idx",
            "company_id",
            "occurred_at",
            postgresql_where=sa.text(IS_FAILED_LOGIN),
        ),
        sa.Index("audit_records_resource_idx", "company_id", "resource_id", "sequence"),
    )

    company_id: uuid.UUID = Field(primary_key=True)
    sequence: int = Field(sa_type=sa.BigInteger, primary_key=True)
    event_id: uuid.UUID
    occurred_at: datetime = Field(sa_type=_TIME)
    sealed_at: datetime = Field(sa_type=_TIME)
    service: str = Field(sa_type=sa.Text)
    action: str = Field(sa_type=sa.Text)
    outcome: str = Field(sa_type=sa.Text)
    actor_kind: str = Field(sa_type=sa.Text)
    actor_id: str = Field(sa_type=sa.Text)
    actor_role: str = Field(sa_type=sa.Text)
    actor_company_id: str = Field(sa_type=sa.Text)
    resource_type: str = Field(sa_type=sa.Text)
    resource_id: str = Field(sa_type=sa.Text)
    changed_fields: list[str] = Field(sa_column=sa.Column(ARRAY(sa.Text), nullable=False))
    trace_id: str = Field(sa_type=sa.Text)
    personal_sealed: bytes
    personal_digest: bytes
    previous_hash: bytes
    hash: bytes


class AuditHeadRow(AuthModel, table=True):
    """A signed head."""

    __tablename__ = "audit_heads"

    company_id: uuid.UUID = Field(primary_key=True)
    sequence: int = Field(sa_type=sa.BigInteger, primary_key=True)
    kind: str = Field(sa_type=sa.Text, primary_key=True)
    hash: bytes
    signed_at: datetime = Field(sa_type=_TIME)
    key_id: str = Field(sa_type=sa.Text)
    signature: bytes


class AuditKeyRow(AuthModel, table=True):
    """A key pair that signs heads; its private half is sealed, its public half stays."""

    __tablename__ = "audit_keys"

    key_id: str = Field(sa_type=sa.Text, primary_key=True)
    public_key: bytes
    sealed_private_key: bytes
    created_at: datetime = Field(sa_type=_TIME)


AUDIT_CHAINS = AuthModel.metadata.tables["audit_chains"]
AUDIT_RECORDS = AuthModel.metadata.tables["audit_records"]
AUDIT_HEADS = AuthModel.metadata.tables["audit_heads"]
AUDIT_KEYS = AuthModel.metadata.tables["audit_keys"]
