"""Devices and everything they send: registry, ingest, history and live readings."""
