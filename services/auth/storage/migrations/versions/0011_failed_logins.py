"""Failed logins of a company are found without reading its audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_index(
        "audit_records_failed_logins_idx",
        "audit_records",
        ["company_id", "occurred_at"],
        postgresql_where=sa.text(
            "action = 'auth.AuthService/Login'"
            " and outcome in ('CREDENTIALS_INVALID', 'TWO_FACTOR_INVALID')"
        ),
    )
