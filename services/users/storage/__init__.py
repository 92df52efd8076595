"""People in PostgreSQL."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
"""The folder that holds `versions/`."""
