"""People can be searched and ordered by name.

An older version of the service goes on working: people whom it adds meanwhile can't be found by
their name until they are changed.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INDEXES = {
    "users_create_time_idx": ["create_time", "user_id"],
    "users_sort_name_idx": ["sort_name", "user_id"],
    "users_company_create_time_idx": ["company_id", "create_time", "user_id"],
    "users_company_sort_name_idx": ["company_id", "sort_name", "user_id"],
    "users_company_email_idx": ["company_id", "email"],
}


def upgrade() -> None:
    # A trusted extension: the owner of the database may create it.
    op.execute("create extension if not exists pg_trgm")
    # Page by page the order is that of code points, which is the one that Python has.
    op.alter_column("users", "email", type_=sa.Text(collation="C"))
    for name in ("sort_name", "search_text"):
        column = sa.Column(name, sa.Text(collation="C"), nullable=False, server_default="")
        op.add_column("users", column)
    _fill(op.get_bind())
    op.create_index(
        "users_search_idx",
        "users",
        ["search_text"],
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    for name, columns in _INDEXES.items():
        op.create_index(name, "users", columns)
    op.drop_index("users_company_idx", "users")


def downgrade() -> None:
    op.create_index("users_company_idx", "users", ["company_id", "user_id"])
    for name in _INDEXES:
        op.drop_index(name, "users")
    op.drop_index("users_search_idx", "users")
    op.drop_column("users", "search_text")
    op.drop_column("users", "sort_name")
    op.alter_column("users", "email", type_=sa.Text)
    op.execute("drop extension if exists pg_trgm")


def _fill(connection: sa.Connection) -> None:
    rows = connection.execute(sa.text("select user_id, display_name, email from users")).all()
    values = [
        {
            "user_id": user_id,
            "sort_name": _folded(name)[:100],
            "search_text": f"{_folded(name)} {_folded(email)}",
        }
        for user_id, name, email in rows
    ]
    if values:
        statement = "update users set sort_name = :sort_name, search_text = :search_text"
        connection.execute(sa.text(f"{statement} where user_id = :user_id"), values)


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn").casefold()
