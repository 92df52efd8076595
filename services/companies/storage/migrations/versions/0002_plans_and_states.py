"""Companies have a state, a plan, demands and an outbox; they can be searched and deleted.

An older version of the service goes on working: companies that it adds meanwhile are on the
standard plan. Those, and all that were there before, are behind their plan's first version, which
has the running service bring them its quotas and announce them. They can't be found by a name that
an older version gave them until they are changed.
"""

import unicodedata
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from services.chassis.outbox import create_outbox

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PLANS = {
    "starter": {
        "users_max": 10,
        "vehicles_max": 10,
        "devices_max": 15,
        "sensors_per_device_max": 16,
        "retention_d": 90,
        "uploads_per_minute_max": 300,
    },
    "standard": {
        "users_max": 200,
        "vehicles_max": 250,
        "devices_max": 500,
        "sensors_per_device_max": 64,
        "retention_d": 400,
        "uploads_per_minute_max": 10_000,
    },
    "unlimited": {},
}
_TIMES = (
    "suspend_time",
    "deletion_request_time",
    "deletion_ask_time",
    "deletion_complete_time",
)


def upgrade() -> None:
    create_outbox(op)
    _create_plans()
    columns: list[sa.Column[Any]] = [
        sa.Column("state", sa.Text, nullable=False, server_default="active"),
        sa.Column("plan_id", sa.Text, nullable=False, server_default="standard"),
        sa.Column("plan_version", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("quotas", JSONB, nullable=False, server_default="{}"),
        sa.Column("security", JSONB, nullable=False, server_default="{}"),
        sa.Column("alert_defaults", JSONB, nullable=False, server_default="{}"),
        sa.Column("suspend_reason", sa.Text),
        *(sa.Column(name, sa.DateTime(timezone=True)) for name in _TIMES),
        sa.Column("sort_name", sa.Text(collation="C"), nullable=False, server_default=""),
        sa.Column("search_text", sa.Text(collation="C"), nullable=False, server_default=""),
    ]
    for column in columns:
        op.add_column("companies", column)
    _fill_names(op.get_bind())
    _create_indexes()
    op.create_table(
        "company_deletion_steps",
        sa.Column("company_id", sa.Uuid, primary_key=True),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("done_time", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["company_id"], ["companies.company_id"], name="company_deletion_steps_company_fkey"
        ),
    )


def downgrade() -> None:
    op.drop_table("company_deletion_steps")
    for name in ("create_time", "sort_name", "plan", "deleting", "search", "display_name"):
        suffix = "key" if name == "display_name" else "idx"
        op.drop_index(f"companies_{name}_{suffix}", "companies")
    # What is left of deleted companies has no name, which an older version can't have twice.
    op.execute("delete from companies where state = 'deleted'")
    op.create_index(
        "companies_display_name_key", "companies", [sa.text("lower(display_name)")], unique=True
    )
    for name in (
        *("state", "plan_id", "plan_version", "quotas", "security", "alert_defaults"),
        *("suspend_reason", *_TIMES, "sort_name", "search_text"),
    ):
        op.drop_column("companies", name)
    op.drop_table("plans")
    op.drop_table("outbox")
    op.execute("drop extension if exists pg_trgm")


def _create_plans() -> None:
    plans = op.create_table(
        "plans",
        sa.Column("plan_id", sa.Text(collation="C"), nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("quotas", JSONB, nullable=False),
        sa.Column("retired", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_caller_id", sa.Uuid),
        sa.Column("request_id", sa.Uuid),
        sa.Column("request_digest", sa.LargeBinary),
        sa.PrimaryKeyConstraint("plan_id", name="plans_pkey"),
        sa.UniqueConstraint("request_caller_id", "request_id", name="plans_request_key"),
    )
    now = datetime.now(UTC)
    op.bulk_insert(
        plans,
        [
            {
                "plan_id": plan_id,
                "display_name": plan_id.capitalize(),
                "quotas": quotas,
                "retired": False,
                "version": 1,
                "create_time": now,
                "update_time": now,
            }
            for plan_id, quotas in _PLANS.items()
        ],
    )


def _create_indexes() -> None:
    # A trusted extension: the owner of the database may create it.
    op.execute("create extension if not exists pg_trgm")
    op.create_index("companies_create_time_idx", "companies", ["create_time", "company_id"])
    op.create_index("companies_sort_name_idx", "companies", ["sort_name", "company_id"])
    op.create_index("companies_plan_idx", "companies", ["plan_id", "plan_version"])
    op.create_index(
        "companies_deleting_idx",
        "companies",
        ["company_id"],
        postgresql_where=sa.text("state = 'deleting'"),
    )
    op.create_index(
        "companies_search_idx",
        "companies",
        ["search_text"],
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.drop_index("companies_display_name_key", "companies")
    op.create_index(
        "companies_display_name_key",
        "companies",
        [sa.text("lower(display_name)")],
        unique=True,
        postgresql_where=sa.text("state <> 'deleted'"),
    )


def _fill_names(connection: sa.Connection) -> None:
    rows = connection.execute(sa.text("select company_id, display_name from companies")).all()
    values = [
        {"company_id": company_id, "sort_name": _folded(name)[:100], "search_text": _folded(name)}
        for company_id, name in rows
    ]
    if values:
        statement = "update companies set sort_name = :sort_name, search_text = :search_text"
        connection.execute(sa.text(f"{statement} where company_id = :company_id"), values)


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn").casefold()
