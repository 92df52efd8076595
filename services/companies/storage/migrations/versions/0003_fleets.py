"""Vehicles in full, teams, who is in and on them, and what is heard of people.

An older version of the service goes on working: vehicles that it adds meanwhile can't be found by
their name until they are changed.
"""

import unicodedata
from typing import Any

import sqlalchemy as sa
from alembic import op

from services.chassis.outbox import create_inbox

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_PRESENT = sa.text("end_time is null")
_VEHICLE_INDEXES = {
    "vehicles_company_idx": ["company_id", "create_time", "vehicle_id"],
    "vehicles_company_sort_name_idx": ["company_id", "sort_name", "vehicle_id"],
    "vehicles_company_odometer_idx": ["company_id", "odometer_m", "vehicle_id"],
    "vehicles_create_time_idx": ["create_time", "vehicle_id"],
}
_VEHICLE_COLUMNS: dict[str, tuple[Any, str]] = {
    "type": (sa.Text(), "other"),
    "status": (sa.Text(), "active"),
    "odometer_m": (sa.BigInteger(), "0"),
    "vin": (sa.Text(), ""),
    "version": (sa.BigInteger(), "1"),
    "sort_name": (sa.Text(collation="C"), ""),
    "search_text": (sa.Text(collation="C"), ""),
}


def upgrade() -> None:
    create_inbox(op)
    _create_teams()
    _widen_vehicles()
    _create_assignments()
    op.create_table(
        "people",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("company_id", sa.Uuid, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_index("people_company_idx", "people", ["company_id"])


def downgrade() -> None:
    op.drop_table("people")
    op.drop_table("assignments")
    op.drop_constraint("vehicles_team_fkey", "vehicles")
    for name in ("vehicles_search_idx", "vehicles_team_idx", *_VEHICLE_INDEXES):
        op.drop_index(name, "vehicles")
    op.create_index("vehicles_company_idx", "vehicles", ["company_id", "vehicle_id"])
    for name in ("team_id", *_VEHICLE_COLUMNS):
        op.drop_column("vehicles", name)
    op.alter_column("vehicles", "plate", type_=sa.Text)
    op.drop_table("team_memberships")
    op.drop_table("teams")
    op.drop_table("inbox")


def _create_teams() -> None:
    op.create_table(
        "teams",
        sa.Column("team_id", sa.Uuid, primary_key=True),
        sa.Column("company_id", sa.Uuid, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("create_time", _TIME, nullable=False),
        sa.Column("update_time", _TIME, nullable=False),
        sa.Column("request_caller_id", sa.Uuid),
        sa.Column("request_id", sa.Uuid),
        sa.Column("request_digest", sa.LargeBinary),
        sa.UniqueConstraint("request_caller_id", "request_id", name="teams_request_key"),
        sa.UniqueConstraint("company_id", "team_id", name="teams_company_key"),
        sa.ForeignKeyConstraint(
            ["company_id"], ["companies.company_id"], name="teams_company_fkey"
        ),
    )
    op.create_index(
        "teams_display_name_key",
        "teams",
        ["company_id", sa.text("lower(display_name)")],
        unique=True,
    )
    op.create_table(
        "team_memberships",
        sa.Column("membership_id", sa.Uuid, primary_key=True),
        sa.Column("company_id", sa.Uuid, nullable=False),
        sa.Column("team_id", sa.Uuid, nullable=False),
        sa.Column("team_name", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("start_time", _TIME, nullable=False),
        sa.Column("end_time", _TIME),
    )
    op.create_index(
        "team_memberships_current_key",
        "team_memberships",
        ["user_id"],
        unique=True,
        postgresql_where=_PRESENT,
    )
    _create_history_indexes("team_memberships", "team", "membership_id")


def _widen_vehicles() -> None:
    # Page by page the order is that of code points, which is the one that Python has.
    op.alter_column("vehicles", "plate", type_=sa.Text(collation="C"))
    for name, (kind, default) in _VEHICLE_COLUMNS.items():
        column: sa.Column[Any] = sa.Column(name, kind, nullable=False, server_default=default)
        op.add_column("vehicles", column)
    op.add_column("vehicles", sa.Column("team_id", sa.Uuid))
    _fill(op.get_bind())
    op.create_foreign_key(
        "vehicles_team_fkey",
        "vehicles",
        "teams",
        ["company_id", "team_id"],
        ["company_id", "team_id"],
    )
    op.drop_index("vehicles_company_idx", "vehicles")
    for name, columns in _VEHICLE_INDEXES.items():
        op.create_index(name, "vehicles", columns)
    op.create_index(
        "vehicles_team_idx",
        "vehicles",
        ["team_id"],
        postgresql_where=sa.text("team_id is not null"),
    )
    op.create_index(
        "vehicles_search_idx",
        "vehicles",
        ["search_text"],
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )


def _create_assignments() -> None:
    op.create_table(
        "assignments",
        sa.Column("assignment_id", sa.Uuid, primary_key=True),
        sa.Column("company_id", sa.Uuid, nullable=False),
        sa.Column("vehicle_id", sa.Uuid, nullable=False),
        sa.Column("plate", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid),
        sa.Column("duty", sa.Text, nullable=False),
        sa.Column("start_time", _TIME, nullable=False),
        sa.Column("end_time", _TIME),
    )
    op.create_index(
        "assignments_driver_key",
        "assignments",
        ["vehicle_id"],
        unique=True,
        postgresql_where=sa.text("duty = 'driver' and end_time is null"),
    )
    op.create_index(
        "assignments_person_key",
        "assignments",
        ["user_id"],
        unique=True,
        postgresql_where=_PRESENT,
    )
    op.create_index("assignments_start_idx", "assignments", ["company_id", "start_time"])
    _create_history_indexes("assignments", "vehicle", "assignment_id")


def _create_history_indexes(table: str, place: str, key: str) -> None:
    op.create_index(f"{table}_company_idx", table, ["company_id", key])
    op.create_index(f"{table}_{place}_idx", table, [f"{place}_id", key])
    op.create_index(f"{table}_user_idx", table, ["user_id", key])
    op.create_index(f"{table}_present_idx", table, ["company_id", key], postgresql_where=_PRESENT)


def _fill(connection: sa.Connection) -> None:
    rows = connection.execute(sa.text("select vehicle_id, display_name, plate from vehicles"))
    values = [
        {
            "vehicle_id": vehicle_id,
            "sort_name": _folded(name)[:100],
            "search_text": f"{_folded(name)} {plate.casefold()} {_unseparated(plate)}",
        }
        for vehicle_id, name, plate in rows
    ]
    if values:
        statement = "update vehicles set sort_name = :sort_name, search_text = :search_text"
        connection.execute(sa.text(f"{statement} where vehicle_id = :vehicle_id"), values)


def _unseparated(plate: str) -> str:
    return plate.casefold().replace(" ", "").replace("-", "")


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn").casefold()
