"""People's open sessions are counted at each login."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_index(
        "sessions_open_idx", "sessions", ["user_id"], postgresql_where=sa.text("ended_at is null")
    )
