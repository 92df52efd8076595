"""Vehicles that were deleted, on which nothing is mounted any more.

An older version of the service goes on working; what it mounts on a vehicle at the moment of its
deletion stays there.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CREATE = """
CREATE TABLE closed_vehicle (
    company_id uuid,
    vehicle_id uuid,
    PRIMARY KEY (company_id, vehicle_id)
)
"""


def upgrade() -> None:
    op.execute(_CREATE)


def downgrade() -> None:
    op.execute("DROP TABLE closed_vehicle")
