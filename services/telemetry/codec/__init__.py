"""Bytes and protobuf messages to domain values and back; pure functions."""
