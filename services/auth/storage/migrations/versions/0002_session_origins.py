"""Where sessions are used from, sealed; those that are open have none until their next refresh."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.add_column("sessions", sa.Column("sealed_origin", sa.LargeBinary))
