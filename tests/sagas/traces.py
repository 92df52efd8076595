"""Whatever the databases hold of a company: all tables, all columns, whichever their type."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from services.stack.credentials import SERVICES
from tests.fixtures.watched_databases import WatchedDatabases
from tests.sagas.tenants import Tenant

Contents: TypeAlias = Mapping[str, tuple[int, str]]
"""How many rows a table holds of a company, and a digest of them."""

# A row as text has ids and texts of all columns in it, JSON and arrays included, and bytes in
# hexadecimal.
_ROWS = """
SELECT entry::text FROM {table} AS entry WHERE entry::text ~* $1 ORDER BY 1
"""
_TABLES = """
SELECT oid::regclass::text AS name FROM pg_class
WHERE relkind IN ('r', 'm') AND relnamespace NOT IN
    (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg_%' OR nspname = 'information_schema')
ORDER BY 1
"""

TOMBSTONES = frozenset(
    {
        "auth.companies",
        "companies.companies",
        "companies.company_deletion_steps",
        "telemetry.company_erasure",
        "users.company_erasures",
    }
)
"""Where the id of a deleted company stays for good, and nothing else of it."""
UNEXPIRED = frozenset({"auth.purged_people", "auth.revocations"})
"""Where ids stay while events, or tokens, may still name them."""
CHAINED = frozenset({"auth.audit_chains", "auth.audit_heads", "auth.audit_records"})
"""Where ids stay for as long as the audit log is kept: who did what, and no name or address."""
PUBLISHED = frozenset({f"{service}.outbox" for service in SERVICES})
"""Where events that were published stay for a day."""
IMPERSONAL = frozenset(
    {
        *(f"{service}.alembic_version" for service in SERVICES),
        *(f"{service}.inbox" for service in SERVICES),
        "auth.audit_keys",
        "auth.login_attempts",
        "auth.signing_keys",
        "companies.plans",
    }
)
"""Tables that know of nobody."""
FLEETING = frozenset(
    {
        "auth.audit_heads",
        "auth.backup_codes",
        "auth.mails",
        "auth.purged_people",
        "auth.reset_requests",
        "auth.revocations",
    }
)
"""Tables that may know of nobody at the moment."""
_WEEK = re.compile(r"_\d{8}$")
"""How the name of a partition ends."""
_MOVING = frozenset({"auth.audit_chains", "auth.audit_heads", "telemetry.ingest_log"})
"""Where rows come and go with time: heads are signed, and the log is as long as ten minutes."""


def contents_of(databases: WatchedDatabases, tenant: Tenant) -> Contents:
    """Digest all that the databases hold of a company, apart from what goes by itself."""
    pattern = _pattern([tenant.company_id, *tenant.ids, *tenant.texts])
    contents = {}
    for table, rows in _matching(databases, pattern):
        if table not in PUBLISHED | _MOVING:
            digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()
            contents[table] = (len(rows), digest)
    return contents


def traces_of(databases: WatchedDatabases, tenant: Tenant) -> Mapping[str, Sequence[str]]:
    """Find the rows that nobody should hold any more of a deleted company, by table."""
    texts, ids = _pattern(tenant.texts), _pattern(tenant.ids)
    everything = _pattern([tenant.company_id, *tenant.ids, *tenant.texts])
    found = {}
    for table, rows in _matching(databases, everything):
        if table in PUBLISHED:
            continue
        if table in TOMBSTONES:
            left = [row for row in rows if re.search(f"{texts}|{ids}", row, re.IGNORECASE)]
        elif table in UNEXPIRED | CHAINED:
            left = [row for row in rows if re.search(texts, row, re.IGNORECASE)]
        else:
            left = rows
        if left:
            found[table] = left
    return found


def tables_without(databases: WatchedDatabases, tenant: Tenant) -> set[str]:
    """Find the tables that hold nothing of a company; partitions are one."""
    pattern = _pattern([tenant.company_id, *tenant.ids, *tenant.texts])
    tables = {
        _WEEK.sub("", f"{service}.{row['name']}")
        for service in databases.names
        for row in databases.rows(service, _TABLES)
    }
    return tables - {_WEEK.sub("", table) for table, _ in _matching(databases, pattern)}


def _matching(databases: WatchedDatabases, pattern: str) -> Iterator[tuple[str, list[str]]]:
    for service in databases.names:
        for table in databases.rows(service, _TABLES):
            query = _ROWS.format(table=table["name"])
            rows = [row[0] for row in databases.rows(service, query, pattern)]
            if rows:
                yield f"{service}.{table['name']}", rows


def _pattern(values: Sequence[str]) -> str:
    """Match any of these, as text or as the bytes of it, and ids as their sixteen bytes too."""
    forms: list[str] = []
    for value in values:
        forms += [re.escape(value), value.encode().hex(), value.replace("-", "")]
    return "|".join(forms)
