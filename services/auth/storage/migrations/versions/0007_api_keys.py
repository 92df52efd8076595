"""Keys of machines."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Uuid, primary_key=True),
        sa.Column("company_id", sa.Uuid),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("creator_id", sa.Uuid, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME),
        sa.Column("used_at", _TIME),
        sa.Column("sealed_used_from", sa.LargeBinary),
        sa.Column("request_caller_id", sa.Uuid),
        sa.Column("request_id", sa.Uuid),
        sa.Column("request_digest", sa.LargeBinary),
        sa.UniqueConstraint("request_caller_id", "request_id", name="api_keys_request_key"),
        sa.CheckConstraint(
            "(role = 'master') = (company_id is null)", name="api_keys_company_check"
        ),
        sa.Index("api_keys_company_idx", "company_id", "key_id"),
        sa.Index("api_keys_creator_idx", "creator_id"),
    )
