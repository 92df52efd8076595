# ruff: noqa: INP001 - Alembic loads this file by its path
"""Alembic's environment for all services: runs on the connection that the chassis opened."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # Each migration commits on its own, so that a long series never holds its locks together.
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
