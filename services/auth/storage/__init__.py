"""What auth keeps, in PostgreSQL; secrets are encrypted or hashed before they get there."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
"""The folder that holds `versions/`."""
