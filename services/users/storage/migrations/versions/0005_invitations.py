"""When people were last invited is known.

An older version of the service leaves it out: then it is when the person was added.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("invite_time", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("users", "invite_time")
