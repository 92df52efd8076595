"""How companies stand, which are erased, and which sensors count towards their quota.

An older version of the service goes on working, and limits and erases nothing.
"""

from alembic import op

from services.chassis.outbox import create_outbox

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE company (
        company_id uuid PRIMARY KEY,
        version bigint NOT NULL,
        state text NOT NULL,
        devices_max integer NOT NULL,
        sensors_per_device_max integer NOT NULL,
        retention_d integer NOT NULL,
        uploads_per_minute_max integer NOT NULL,
        time_zone text NOT NULL,
        applied_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX company_applied_idx ON company (applied_at)",
    # Every flush looks into it: it has a row for each company that was ever deleted, and no more.
    """
    CREATE TABLE company_erasure (
        company_id uuid PRIMARY KEY,
        requested_at timestamptz NOT NULL,
        erased_at timestamptz
    )
    """,
    """
    CREATE TABLE device_sensors (
        company_id uuid,
        device_id uuid,
        sensors text[] NOT NULL,
        PRIMARY KEY (company_id, device_id)
    )
    """,
)
_TABLES = ("outbox", "device_sensors", "company_erasure", "company")


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
    create_outbox(op)


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"DROP TABLE {table}")
