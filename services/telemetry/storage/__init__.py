"""Telemetry's database: the registry, the batches and their log, the newest values."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
