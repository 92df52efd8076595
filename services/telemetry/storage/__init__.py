"""Telemetry's database: the registry, the batches and their log, the newest values."""
