"""People's names, which their passwords must not be made of; empty until their next change."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.add_column(
        "credentials", sa.Column("display_name", sa.Text, nullable=False, server_default="")
    )
