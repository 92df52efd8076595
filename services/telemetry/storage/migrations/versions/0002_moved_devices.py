"""Devices have versions, and which device was on which vehicle when is kept.

An older version of the service goes on working; a device that it registers meanwhile has its first
assignment noted when it is moved.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE device ADD COLUMN version bigint NOT NULL DEFAULT 1",
    """
    CREATE TABLE device_vehicle_history (
        company_id uuid,
        device_id uuid,
        start_at timestamptz,
        vehicle_id uuid NOT NULL,
        end_at timestamptz,
        PRIMARY KEY (company_id, device_id, start_at)
    )
    """,
    """
    CREATE INDEX device_vehicle_history_vehicle_idx
    ON device_vehicle_history (company_id, vehicle_id, start_at)
    """,
    """
    CREATE INDEX device_vehicle_history_start_idx
    ON device_vehicle_history (company_id, start_at, device_id)
    """,
    """
    INSERT INTO device_vehicle_history (company_id, device_id, start_at, vehicle_id)
    SELECT company_id, device_id, created_at, vehicle_id FROM device WHERE vehicle_id IS NOT NULL
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE device_vehicle_history")
    op.execute("ALTER TABLE device DROP COLUMN version")
