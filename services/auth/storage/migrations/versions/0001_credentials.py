"""Credentials, sessions, revocations, login attempts, mails and signing keys."""

import sqlalchemy as sa
from alembic import op

from services.chassis.outbox import create_inbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply the change."""
    _create_credentials()
    _create_sessions()
    _create_revocations()
    op.create_table(
        "login_attempts",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("spent_until", _TIME, nullable=False),
        sa.Index("login_attempts_spent_idx", "spent_until"),
    )
    op.create_table(
        "mails",
        sa.Column("mail_id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, _user(), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Index("mails_due_idx", "due_at"),
        sa.Index("mails_user_idx", "user_id"),
    )
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text, primary_key=True),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary, nullable=False),
        sa.Column("signs_from", _TIME, nullable=False),
        sa.Column("verifies_until", _TIME),
    )
    create_inbox(op)


def _create_credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("company_id", sa.Uuid),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("user_version", sa.BigInteger, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.UniqueConstraint("email", name="credentials_email_key"),
        sa.CheckConstraint(
            "status <> 'active' or password_hash is not null", name="credentials_active_check"
        ),
        sa.CheckConstraint(
            "(role = 'master') = (company_id is null)", name="credentials_company_check"
        ),
    )
    op.create_table(
        "invitations",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("user_id", sa.Uuid, _user(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME),
        sa.UniqueConstraint("user_id", name="invitations_user_key"),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, _user(), nullable=False),
        sa.Column("address_digest", sa.LargeBinary, nullable=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("last_used_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Index("sessions_user_idx", "user_id", "address_digest"),
        sa.Index("sessions_last_used_idx", "last_used_at"),
    )
    session = sa.ForeignKey("sessions.session_id", ondelete="CASCADE")
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("session_id", sa.Uuid, session, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME),
        sa.Index("refresh_tokens_session_idx", "session_id"),
        sa.Index("refresh_tokens_expires_idx", "expires_at"),
    )


def _create_revocations() -> None:
    op.create_table(
        "revocations",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("session_id", sa.Uuid),
        sa.Column("subject", sa.Uuid),
        sa.Column("revoked_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.CheckConstraint("num_nonnulls(session_id, subject) = 1", name="revocations_check"),
        sa.Index("revocations_expires_idx", "expires_at"),
    )


def _user() -> sa.ForeignKey:
    return sa.ForeignKey("credentials.user_id", ondelete="CASCADE")


def downgrade() -> None:
    """Undo the change."""
    for table in ("inbox", "signing_keys", "mails", "login_attempts", "revocations"):
        op.drop_table(table)
    for table in ("refresh_tokens", "sessions", "invitations", "credentials"):
        op.drop_table(table)
