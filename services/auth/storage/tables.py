"""The tables of the service; rows never leave this package, since they skip validation."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from services.chassis.creations import RequestedRow
from services.chassis.outbox import inbox_table, outbox_table

EMAIL_KEY = "credentials_email_key"

_TIME = sa.DateTime(timezone=True)
_USER = "credentials.user_id"
_SESSION = "sessions.session_id"


class AuthModel(SQLModel, registry=registry(metadata=sa.MetaData())):
    """Base of the service's tables: services that share a process share no metadata."""


class CredentialRow(AuthModel, table=True):
    """How a person logs in."""

    __tablename__ = "credentials"
    __table_args__ = (
        sa.UniqueConstraint("email", name=EMAIL_KEY),
        sa.CheckConstraint(
            "status <> 'active' or password_hash is not null", name="credentials_active_check"
        ),
        sa.CheckConstraint(
            "(role = 'master') = (company_id is null)", name="credentials_company_check"
        ),
        sa.Index("credentials_company_idx", "company_id"),
    )

    user_id: uuid.UUID = Field(primary_key=True)
    email: str = Field(sa_type=sa.Text)
    role: str = Field(sa_type=sa.Text)
    company_id: uuid.UUID | None
    status: str = Field(sa_type=sa.Text)
    password_hash: str | None = Field(sa_type=sa.Text)
    user_version: int = Field(sa_type=sa.BigInteger)
    language: str = Field(sa_column=sa.Column(sa.Text, nullable=False, server_default="en"))
    display_name: str = Field(sa_column=sa.Column(sa.Text, nullable=False, server_default=""))
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)


class PurgedPersonRow(AuthModel, table=True):
    """Somebody who was erased: what is told late of them must not bring them back."""

    __tablename__ = "purged_people"
    __table_args__ = (sa.Index("purged_people_purged_idx", "purged_at"),)

    user_id: uuid.UUID = Field(primary_key=True)
    purged_at: datetime = Field(sa_type=_TIME)


class CompanyRow(AuthModel, table=True):
    """A company, as far as companies told of it."""

    __tablename__ = "companies"
    __table_args__ = (
        sa.Index("companies_lingering_idx", "closed_at", postgresql_where=sa.text("lingering")),
        sa.Index(
            "companies_to_erase_idx",
            "closed_at",
            postgresql_where=sa.text("erased_at is null and state in ('deleting', 'deleted')"),
        ),
    )

    company_id: uuid.UUID = Field(primary_key=True)
    version: int = Field(sa_type=sa.BigInteger)
    state: str = Field(sa_type=sa.Text)
    sessions_per_user_max: int
    two_factor_roles: list[str] = Field(sa_type=sa.ARRAY(sa.Text))
    closed_at: datetime | None = Field(sa_type=_TIME)
    lingering: bool
    erased_at: datetime | None = Field(sa_type=_TIME)


class SessionRow(AuthModel, table=True):
    """Somebody who is logged in somewhere."""

    __tablename__ = "sessions"
    __table_args__ = (
        sa.Index("sessions_user_idx", "user_id", "address_digest"),
        sa.Index("sessions_open_idx", "user_id", postgresql_where=sa.text("ended_at is null")),
        sa.Index("sessions_last_used_idx", "last_used_at"),
    )

    session_id: uuid.UUID = Field(primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=_USER, ondelete="CASCADE")
    address_digest: bytes
    opened_at: datetime = Field(sa_type=_TIME)
    last_used_at: datetime = Field(sa_type=_TIME)
    expires_at: datetime = Field(sa_type=_TIME)
    ended_at: datetime | None = Field(sa_type=_TIME)
    sealed_origin: bytes | None


class RefreshTokenRow(AuthModel, table=True):
    """A refresh token, spent or not, until it has expired."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        sa.Index("refresh_tokens_session_idx", "session_id"),
        sa.Index("refresh_tokens_expires_idx", "expires_at"),
    )

    digest: bytes = Field(primary_key=True)
    session_id: uuid.UUID = Field(foreign_key=_SESSION, ondelete="CASCADE")
    expires_at: datetime = Field(sa_type=_TIME)
    used_at: datetime | None = Field(sa_type=_TIME)


class InvitationRow(AuthModel, table=True):
    """A person's invitation: there is one at most."""

    __tablename__ = "invitations"
    __table_args__ = (sa.UniqueConstraint("user_id", name="invitations_user_key"),)

    digest: bytes = Field(primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=_USER, ondelete="CASCADE")
    expires_at: datetime = Field(sa_type=_TIME)
    used_at: datetime | None = Field(sa_type=_TIME)


class ResetRequestRow(AuthModel, table=True):
    """Somebody who asked for a new password; the address is sealed."""

    __tablename__ = "reset_requests"
    __table_args__ = (sa.Index("reset_requests_requested_idx", "requested_at"),)

    request_id: uuid.UUID = Field(primary_key=True)
    sealed_email: bytes
    requested_at: datetime = Field(sa_type=_TIME)


class PasswordResetRow(AuthModel, table=True):
    """A code that sets a person's new password: there is one at most."""

    __tablename__ = "password_resets"
    __table_args__ = (sa.Index("password_resets_expires_idx", "expires_at"),)

    user_id: uuid.UUID = Field(primary_key=True, foreign_key=_USER, ondelete="CASCADE")
    digest: bytes
    expires_at: datetime = Field(sa_type=_TIME)
    failures: int


class EmailChangeRow(AuthModel, table=True):
    """An address that a person is to have: there is one at most; the addresses are sealed."""

    __tablename__ = "email_changes"
    __table_args__ = (
        sa.Index("email_changes_expires_idx", "expires_at"),
        sa.Index("email_changes_due_idx", "due_at", postgresql_where=sa.text("due_at is not null")),
    )

    user_id: uuid.UUID = Field(primary_key=True, foreign_key=_USER, ondelete="CASCADE")
    sealed_emails: bytes
    digest: bytes
    expires_at: datetime = Field(sa_type=_TIME)
    failures: int
    proven_at: datetime | None = Field(sa_type=_TIME)
    due_at: datetime | None = Field(sa_type=_TIME)


class TotpRow(AuthModel, table=True):
    """A person's authenticator; its secret is sealed."""

    __tablename__ = "totps"

    user_id: uuid.UUID = Field(primary_key=True, foreign_key=_USER, ondelete="CASCADE")
    sealed_secret: bytes
    confirmed_at: datetime | None = Field(sa_type=_TIME)
    last_step: int = Field(sa_type=sa.BigInteger)
    failures: int = Field(sa_column=sa.Column(sa.Integer, nullable=False, server_default="0"))


class BackupCodeRow(AuthModel, table=True):
    """A code that stands in for a person's authenticator once."""

    __tablename__ = "backup_codes"

    user_id: uuid.UUID = Field(primary_key=True, foreign_key=_USER, ondelete="CASCADE")
    digest: bytes = Field(primary_key=True)


class ApiKeyRow(AuthModel, RequestedRow, table=True):
    """A key of a machine, and the request that made it; who made it may be gone."""

    __tablename__ = "api_keys"
    __table_args__ = (
        sa.UniqueConstraint("request_caller_id", "request_id", name="api_keys_request_key"),
        sa.CheckConstraint(
            "(role = 'master') = (company_id is null)", name="api_keys_company_check"
        ),
        sa.Index("api_keys_company_idx", "company_id", "key_id"),
        sa.Index("api_keys_creator_idx", "creator_id"),
    )

    key_id: uuid.UUID = Field(primary_key=True)
    company_id: uuid.UUID | None
    display_name: str = Field(sa_type=sa.Text)
    role: str = Field(sa_type=sa.Text)
    scopes: list[str] = Field(sa_type=sa.ARRAY(sa.Text))
    digest: bytes
    creator_id: uuid.UUID
    created_at: datetime = Field(sa_type=_TIME)
    expires_at: datetime = Field(sa_type=_TIME)
    revoked_at: datetime | None = Field(sa_type=_TIME)
    used_at: datetime | None = Field(sa_type=_TIME)
    sealed_used_from: bytes | None


class RevocationRow(AuthModel, table=True):
    """An entry in the log of revocations."""

    __tablename__ = "revocations"
    __table_args__ = (
        sa.CheckConstraint(
            "num_nonnulls(session_id, subject, company_id) = 1", name="revocations_check"
        ),
        sa.Index("revocations_expires_idx", "expires_at"),
    )

    position: int = Field(
        sa_column=sa.Column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    )
    session_id: uuid.UUID | None
    subject: uuid.UUID | None
    company_id: uuid.UUID | None
    revoked_at: datetime = Field(sa_type=_TIME)
    expires_at: datetime = Field(sa_type=_TIME)


class LoginAttemptRow(AuthModel, table=True):
    """A bucket that throttles logins."""

    __tablename__ = "login_attempts"
    __table_args__ = (sa.Index("login_attempts_spent_idx", "spent_until"),)

    key: bytes = Field(primary_key=True)
    spent_until: datetime = Field(sa_type=_TIME)


class MailRow(AuthModel, table=True):
    """A mail that waits to be sent; it may hold a secret, so it is sealed."""

    __tablename__ = "mails"
    __table_args__ = (
        sa.Index("mails_due_idx", "due_at"),
        sa.Index("mails_user_idx", "user_id"),
    )

    mail_id: uuid.UUID = Field(primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=_USER, ondelete="CASCADE")
    sealed: bytes
    due_at: datetime = Field(sa_type=_TIME)
    attempts: int


class SigningKeyRow(AuthModel, table=True):
    """A key pair; its private half is sealed."""

    __tablename__ = "signing_keys"

    kid: str = Field(sa_type=sa.Text, primary_key=True)
    public_key: bytes
    sealed_private_key: bytes
    signs_from: datetime = Field(sa_type=_TIME)
    verifies_until: datetime | None = Field(sa_type=_TIME)


INBOX = inbox_table(AuthModel.metadata)
OUTBOX = outbox_table(AuthModel.metadata)

# Statements are built on the tables, not on the classes: what they return is what the database
# says now, never a row that the session remembers from before it waited for a lock.
CREDENTIALS = AuthModel.metadata.tables["credentials"]
PURGED_PEOPLE = AuthModel.metadata.tables["purged_people"]
COMPANIES = AuthModel.metadata.tables["companies"]
SESSIONS = AuthModel.metadata.tables["sessions"]
REFRESH_TOKENS = AuthModel.metadata.tables["refresh_tokens"]
INVITATIONS = AuthModel.metadata.tables["invitations"]
RESET_REQUESTS = AuthModel.metadata.tables["reset_requests"]
PASSWORD_RESETS = AuthModel.metadata.tables["password_resets"]
EMAIL_CHANGES = AuthModel.metadata.tables["email_changes"]
TOTPS = AuthModel.metadata.tables["totps"]
BACKUP_CODES = AuthModel.metadata.tables["backup_codes"]
API_KEYS = AuthModel.metadata.tables["api_keys"]
REVOCATIONS = AuthModel.metadata.tables["revocations"]
LOGIN_ATTEMPTS = AuthModel.metadata.tables["login_attempts"]
MAILS = AuthModel.metadata.tables["mails"]
SIGNING_KEYS = AuthModel.metadata.tables["signing_keys"]
