"""Companies and what they demand, revocations of them, and wrong codes of unconfirmed secrets."""

import sqlalchemy as sa
from alembic import op

from services.chassis.outbox import create_outbox

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_CHECK = "revocations_check"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "companies",
        sa.Column("company_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("sessions_per_user_max", sa.Integer, nullable=False),
        sa.Column("two_factor_roles", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("closed_at", _TIME),
        sa.Column("lingering", sa.Boolean, nullable=False),
        sa.Column("erased_at", _TIME),
        sa.Index("companies_lingering_idx", "closed_at", postgresql_where=sa.text("lingering")),
        sa.Index(
            "companies_to_erase_idx",
            "closed_at",
            postgresql_where=sa.text("erased_at is null and state in ('deleting', 'deleted')"),
        ),
    )
    op.create_index("credentials_company_idx", "credentials", ["company_id"])
    op.add_column("revocations", sa.Column("company_id", sa.Uuid))
    op.drop_constraint(_CHECK, "revocations")
    op.create_check_constraint(
        _CHECK, "revocations", "num_nonnulls(session_id, subject, company_id) = 1"
    )
    op.add_column("totps", sa.Column("failures", sa.Integer, nullable=False, server_default="0"))
    create_outbox(op)
