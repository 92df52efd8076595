"""A small service of its own for tests of the chassis: its settings and its schema."""

import uuid
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Port, ServiceSettings
from tests.fixtures.nats import NatsServer
from tests.fixtures.postgres import FreshDatabase
from tests.fixtures.token_authority import SERVICE_SECRET, TokenAuthority

_REVISION = '''
"""Kettles, and the two tables for events."""

import sqlalchemy as sa
from alembic import op

from services.chassis.outbox import create_inbox, create_outbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kettles",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("litres", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", name="kettles_name_key"),
    )
    create_outbox(op)
    create_inbox(op)
'''


class KettleSettings(ServiceSettings):
    """Settings of a service that boils water."""

    model_config = SettingsConfigDict(env_prefix="DASHTRACK_KETTLE_")

    grpc_port: Port = Field(0, description="Port of the gRPC server; 0 picks a free one.")
    http_port: Port = Field(0, description="Port of the HTTP server; 0 picks a free one.")


def kettle_settings(
    database: FreshDatabase, nats: NatsServer, authority: TokenAuthority, **changes: Any
) -> KettleSettings:
    """Make settings for the servers of the test session."""
    usual: dict[str, Any] = {
        "database_url": SecretStr(database.url),
        "nats_url": nats.url,
        "nats_user": nats.user,
        "nats_password": SecretStr(nats.password),
        "jwks_url": authority.jwks_url,
        "auth_target": authority.target,
        "service_secret": SecretStr(SERVICE_SECRET),
    }
    return KettleSettings(**(usual | changes))


def write_migrations(folder: Path) -> Path:
    """Write the schema as a service keeps it: a folder that holds `versions/`."""
    versions = folder / "versions"
    versions.mkdir(parents=True)
    (versions / "0001_kettles.py").write_text(_REVISION)
    return folder


def unique_subject() -> str:
    """Make an event subject that no other test listens to."""
    return f"events.kettle.{uuid.uuid4().hex}"
