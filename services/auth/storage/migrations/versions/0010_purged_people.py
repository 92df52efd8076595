"""Who was erased, so that what is told late of them brings nobody back."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "purged_people",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Index("purged_people_purged_idx", "purged_at"),
    )
