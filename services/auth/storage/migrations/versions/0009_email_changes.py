"""Addresses that people are to have, until users has been told."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply the change."""
    owner = sa.ForeignKey("credentials.user_id", ondelete="CASCADE")
    op.create_table(
        "email_changes",
        sa.Column("user_id", sa.Uuid, owner, primary_key=True),
        sa.Column("sealed_emails", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("proven_at", _TIME),
        sa.Column("due_at", _TIME),
        sa.Index("email_changes_expires_idx", "expires_at"),
        sa.Index("email_changes_due_idx", "due_at", postgresql_where=sa.text("due_at is not null")),
    )
