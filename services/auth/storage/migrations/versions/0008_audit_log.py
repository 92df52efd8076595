"""The audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TEXTS = [
    "service",
    "action",
    "outcome",
    "actor_kind",
    "actor_id",
    "actor_role",
    "actor_company_id",
    "resource_type",
    "resource_id",
]


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "audit_chains",
        sa.Column("company_id", sa.Uuid, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("signed_sequence", sa.BigInteger, nullable=False),
        sa.Column("pruned_sequence", sa.BigInteger, nullable=False),
        sa.Column("sealed_key", sa.LargeBinary),
        sa.Column("erased_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "audit_records",
        sa.Column("company_id", sa.Uuid, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in _TEXTS),
        sa.Column("changed_fields", ARRAY(sa.Text), nullable=False),
        sa.Column("trace_id", sa.Text, nullable=False),
        sa.Column("personal_sealed", sa.LargeBinary, nullable=False),
        sa.Column("personal_digest", sa.LargeBinary, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    for name, column in (("actor", "actor_id"), ("resource", "resource_id")):
        op.create_index(
            f"audit_records_{name}_idx", "audit_records", ["company_id", column, "sequence"]
        )
    op.create_index("audit_records_occurred_idx", "audit_records", ["company_id", "occurred_at"])
    op.create_table(
        "audit_heads",
        sa.Column("company_id", sa.Uuid, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audit_keys",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
