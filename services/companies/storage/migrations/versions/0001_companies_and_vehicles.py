"""Companies and their vehicles."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "companies",
        sa.Column("company_id", sa.Uuid, primary_key=True),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("language_code", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_caller_id", sa.Uuid),
        sa.Column("request_id", sa.Uuid),
        sa.Column("request_digest", sa.LargeBinary),
        sa.UniqueConstraint("request_caller_id", "request_id", name="companies_request_key"),
    )
    op.create_index(
        "companies_display_name_key", "companies", [sa.text("lower(display_name)")], unique=True
    )
    op.create_table(
        "vehicles",
        sa.Column("vehicle_id", sa.Uuid, primary_key=True),
        sa.Column("company_id", sa.Uuid, nullable=False),
        sa.Column("plate", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_caller_id", sa.Uuid),
        sa.Column("request_id", sa.Uuid),
        sa.Column("request_digest", sa.LargeBinary),
        sa.UniqueConstraint("company_id", "plate", name="vehicles_plate_key"),
        sa.UniqueConstraint("request_caller_id", "request_id", name="vehicles_request_key"),
        sa.ForeignKeyConstraint(
            ["company_id"], ["companies.company_id"], name="vehicles_company_fkey"
        ),
    )
    op.create_index("vehicles_company_idx", "vehicles", ["company_id", "vehicle_id"])


def downgrade() -> None:
    op.drop_table("vehicles")
    op.drop_table("companies")
