"""What a SQL statement writes to, as far as its text tells."""

import functools
import re

# What follows the `UPDATE` of a lock (FOR UPDATE, FOR NO KEY UPDATE) or of an upsert is no table.
_WRITE = re.compile(
    r"(?<!FOR )(?<!KEY )(?<!DO )\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+(?:ONLY\s+)?"
    r"\"?([a-z_][a-z0-9_]*)\"?",
    re.IGNORECASE,
)
_STATEMENTS_KEPT = 1024


@functools.lru_cache(maxsize=_STATEMENTS_KEPT)
def written_tables(statement: str) -> frozenset[str]:
    """Return the tables that a statement inserts into, updates or deletes from."""
    return frozenset(name.lower() for name in _WRITE.findall(statement))
