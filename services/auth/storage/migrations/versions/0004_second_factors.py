"""Authenticators and backup codes."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "totps",
        sa.Column("user_id", sa.Uuid, _user(), primary_key=True),
        sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.Column("last_step", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "backup_codes",
        sa.Column("user_id", sa.Uuid, _user(), primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
    )


def _user() -> sa.ForeignKey:
    return sa.ForeignKey("credentials.user_id", ondelete="CASCADE")
