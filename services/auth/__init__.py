"""Credentials, sessions, tokens and the keys that sign them."""
