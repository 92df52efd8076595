"""The outbox, through which records reach the audit log with the changes that they are of."""

from alembic import op

from services.chassis.outbox import create_outbox

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    create_outbox(op)


def downgrade() -> None:
    """Take it back."""
    op.drop_table("outbox")
