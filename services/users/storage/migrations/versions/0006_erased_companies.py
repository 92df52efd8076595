"""Companies that are being deleted are known, since nobody may be added to them any more.

An older version of the service goes on working, and doesn't look.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "company_erasures",
        sa.Column("company_id", sa.Uuid, primary_key=True),
        sa.Column("request_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erase_time", sa.DateTime(timezone=True)),
    )


def downgrade() -> None:
    op.drop_table("company_erasures")
