"""People and the events about them."""

import sqlalchemy as sa
from alembic import op

from services.chassis.outbox import create_outbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("company_id", sa.Uuid),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_caller_id", sa.Uuid),
        sa.Column("request_id", sa.Uuid),
        sa.Column("request_digest", sa.LargeBinary),
        sa.UniqueConstraint("email", name="users_email_key"),
        sa.UniqueConstraint("request_caller_id", "request_id", name="users_request_key"),
        sa.CheckConstraint("(role = 'master') = (company_id is null)", name="users_company_check"),
    )
    op.create_index("users_company_idx", "users", ["company_id", "user_id"])
    create_outbox(op)


def downgrade() -> None:
    op.drop_table("outbox")
    op.drop_table("users")
