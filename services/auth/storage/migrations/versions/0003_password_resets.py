"""Codes that set new passwords, the queue of those who ask for one, and people's languages."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply the change."""
    op.add_column(
        "credentials", sa.Column("language", sa.Text, nullable=False, server_default="en")
    )
    op.create_table(
        "reset_requests",
        sa.Column("request_id", sa.Uuid, primary_key=True),
        sa.Column("sealed_email", sa.LargeBinary, nullable=False),
        sa.Column("requested_at", _TIME, nullable=False),
        sa.Index("reset_requests_requested_idx", "requested_at"),
    )
    owner = sa.ForeignKey("credentials.user_id", ondelete="CASCADE")
    op.create_table(
        "password_resets",
        sa.Column("user_id", sa.Uuid, owner, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Index("password_resets_expires_idx", "expires_at"),
    )
