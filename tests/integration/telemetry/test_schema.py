"""The schema as the migrations make it."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from services.chassis.database import Database
from services.telemetry.storage.partitions import PostgresPartitions, Week
from services.telemetry.storage.tables import LOCAL_TABLES, METADATA, REFERENCE_TABLES
from tests.fixtures.telemetry_storage import DAY_MS, WINDOW, now_ms

_COLUMNS = """
SELECT c.relname AS table, a.attname AS column
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
  AND c.relname <> 'alembic_version'
"""

_UNIQUE_KEYS = """
SELECT t.relname AS table, array_agg(a.attname::text) AS columns
FROM pg_index i
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
WHERE i.indisunique AND t.relnamespace = 'public'::regnamespace
  AND t.relname <> 'alembic_version'
GROUP BY i.indexrelid, t.relname
"""


async def test_the_migrations_make_the_declared_tables(telemetry_pool: Database) -> None:
    """Every declared column exists, and no other."""
    async with telemetry_pool.transaction() as session:
        rows = await session.execute(sa.text(_COLUMNS))
        made = {(row.table, row.column) for row in rows}

    declared = {
        (table.name, column.name) for table in METADATA.tables.values() for column in table.c
    }
    assert made == declared


async def test_every_unique_key_carries_the_company(
    telemetry_pool: Database, partitions: PostgresPartitions
) -> None:
    """In the database too, partitions included."""
    async with telemetry_pool.transaction() as session:
        keys = [tuple(row) for row in await session.execute(sa.text(_UNIQUE_KEYS))]

    assert keys
    for table, columns in keys:
        assert "company_id" in columns or table in REFERENCE_TABLES | LOCAL_TABLES


async def test_partitions_are_made_ahead_and_dropped_behind(telemetry_pool: Database) -> None:
    """What is about to be needed exists; what is past retention, and a week of grace, goes."""
    partitions = PostgresPartitions(telemetry_pool, window=WINDOW, clock=lambda: datetime.now(UTC))
    await partitions.keep()
    kept_ms, dropped_ms = now_ms() - 390 * DAY_MS, now_ms() - 420 * DAY_MS
    for ms in (kept_ms, dropped_ms):
        await partitions.ensure(ms)
    await partitions.keep()

    assert partitions.covers(now_ms())
    assert partitions.covers(now_ms() + 15 * DAY_MS)
    assert partitions.covers(kept_ms)
    assert not partitions.covers(dropped_ms)
    async with telemetry_pool.transaction() as session:
        found = await session.execute(
            sa.text("SELECT to_regclass(:name)"), {"name": Week.of(dropped_ms).table}
        )
        assert found.scalar_one() is None


def test_weeks_begin_on_monday() -> None:
    """Names say the day."""
    week = Week.of(now_ms())

    assert week.start.weekday() == 0
    assert week.start <= datetime.now(UTC) < week.end == week.start + timedelta(days=7)
    assert Week.named(week.table) == week
    assert Week.of(0).start.weekday() == 0
