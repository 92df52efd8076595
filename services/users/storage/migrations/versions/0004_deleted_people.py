"""People can be deleted, and are purged later.

An older version of the service goes on working, and lists deleted people as it lists others.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("delete_time", "purge_time"):
        op.add_column("users", sa.Column(name, sa.DateTime(timezone=True)))
    op.create_index(
        "users_purge_idx",
        "users",
        ["purge_time"],
        postgresql_where=sa.text("purge_time is not null"),
    )


def downgrade() -> None:
    op.drop_index("users_purge_idx", "users")
    op.drop_column("users", "purge_time")
    op.drop_column("users", "delete_time")
