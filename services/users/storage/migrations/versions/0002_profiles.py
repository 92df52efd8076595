"""People have a language and a telephone number.

The defaults let an older version of the service go on adding people.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, default in (("language_code", "en"), ("phone_number", "")):
        op.add_column("users", sa.Column(name, sa.Text, nullable=False, server_default=default))


def downgrade() -> None:
    op.drop_column("users", "phone_number")
    op.drop_column("users", "language_code")
