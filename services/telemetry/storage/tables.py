"""The tables of the service; rows never leave this package.

Every unique key carries `company_id`, so that the schema distributes by it unchanged. The one
exception is `device_directory`, which a distributed engine replicates as a reference table: a board
proves who it is before anybody knows its company. The migrations say how the tables are stored.
"""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from services.chassis.outbox import outbox_table

HARDWARE_KEY = "device_directory_pkey"
REQUEST_KEY = "device_request_key"

REFERENCE_TABLES = frozenset({"device_directory"})
"""Small tables that a distributed engine keeps whole on every node."""
LOCAL_TABLES = frozenset({"outbox"})
"""Tables of the service as a whole, which a distributed engine keeps on one node."""


class Xid8(sa.types.UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which is never used twice."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name."""
        return "xid8"


class TelemetryModel(SQLModel, registry=registry(metadata=sa.MetaData())):
    """Base of the service's tables: services that share a process share no metadata."""


class DirectoryRow(TelemetryModel, table=True):
    """Which company a board belongs to, by whatever it can name before it has a token."""

    __tablename__ = "device_directory"
    __table_args__ = (
        sa.PrimaryKeyConstraint("hardware_id", name=HARDWARE_KEY),
        sa.UniqueConstraint("device_id", name="device_directory_device_key"),
        sa.UniqueConstraint("claim_hash", name="device_directory_claim_key"),
    )

    hardware_id: str = Field(sa_type=sa.Text, primary_key=True)
    device_id: uuid.UUID
    company_id: uuid.UUID
    claim_hash: bytes | None = None


class DeviceRow(TelemetryModel, table=True):
    """A board, its claim and its secret."""

    __tablename__ = "device"
    __table_args__ = (
        sa.PrimaryKeyConstraint("company_id", "device_id"),
        sa.UniqueConstraint("company_id", "request_id", name=REQUEST_KEY),
    )

    company_id: uuid.UUID = Field(primary_key=True)
    device_id: uuid.UUID = Field(primary_key=True)
    hardware_id: str = Field(sa_type=sa.Text)
    display_name: str = Field(sa_type=sa.Text)
    vehicle_id: uuid.UUID | None = None
    status: str = Field(sa_type=sa.Text)
    created_at: datetime = Field(sa_type=sa.DateTime(timezone=True))
    version: int = Field(default=1, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": "1"})
    request_id: uuid.UUID | None = None
    request_digest: bytes | None = None
    claim_hash: bytes | None = None
    claim_expires_at: datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))
    nonce: bytes | None = None
    secret_hash: bytes | None = None
    secret_used_at: datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))


class AssignmentRow(TelemetryModel, table=True):
    """That a device was on a vehicle for some time; one a device has no end."""

    __tablename__ = "device_vehicle_history"
    __table_args__ = (
        sa.PrimaryKeyConstraint("company_id", "device_id", "start_at"),
        sa.Index("device_vehicle_history_vehicle_idx", "company_id", "vehicle_id", "start_at"),
        sa.Index("device_vehicle_history_start_idx", "company_id", "start_at", "device_id"),
    )

    company_id: uuid.UUID = Field(primary_key=True)
    device_id: uuid.UUID = Field(primary_key=True)
    start_at: datetime = Field(sa_type=sa.DateTime(timezone=True), primary_key=True)
    vehicle_id: uuid.UUID
    end_at: datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))


class ClosedVehicleRow(TelemetryModel, table=True):
    """A vehicle that is no more: nothing is mounted on it ever again."""

    __tablename__ = "closed_vehicle"

    company_id: uuid.UUID = Field(primary_key=True)
    vehicle_id: uuid.UUID = Field(primary_key=True)


class CompanyRow(TelemetryModel, table=True):
    """How a company stands, as far as it has been told here."""

    __tablename__ = "company"
    __table_args__ = (sa.Index("company_applied_idx", "applied_at"),)

    company_id: uuid.UUID = Field(primary_key=True)
    version: int = Field(sa_type=sa.BigInteger)
    state: str = Field(sa_type=sa.Text)
    devices_max: int
    sensors_per_device_max: int
    retention_d: int
    uploads_per_minute_max: int
    time_zone: str = Field(sa_type=sa.Text)
    applied_at: datetime = Field(sa_type=sa.DateTime(timezone=True))


class ErasureRow(TelemetryModel, table=True):
    """A company that is being erased, or was: nothing of it is stored ever again."""

    __tablename__ = "company_erasure"

    company_id: uuid.UUID = Field(primary_key=True)
    requested_at: datetime = Field(sa_type=sa.DateTime(timezone=True))
    erased_at: datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))


METADATA = TelemetryModel.metadata

DEVICE_BOOT = sa.Table(
    "device_boot",
    METADATA,
    sa.Column("company_id", sa.Uuid, primary_key=True),
    sa.Column("device_id", sa.Uuid, primary_key=True),
    sa.Column("boot_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("anchor_ms", sa.BigInteger, nullable=False),
)

DEVICE_SPAN = sa.Table(
    "device_span",
    METADATA,
    sa.Column("company_id", sa.Uuid, primary_key=True),
    sa.Column("device_id", sa.Uuid, primary_key=True),
    sa.Column("span_bound_ms", sa.BigInteger, nullable=False),
)

DEVICE_SENSORS = sa.Table(
    "device_sensors",
    METADATA,
    sa.Column("company_id", sa.Uuid, primary_key=True),
    sa.Column("device_id", sa.Uuid, primary_key=True),
    sa.Column("sensors", ARRAY(sa.Text), nullable=False),
)

TELEMETRY_BATCH = sa.Table(
    "telemetry_batch",
    METADATA,
    sa.Column("company_id", sa.Uuid, primary_key=True),
    sa.Column("device_id", sa.Uuid, primary_key=True),
    sa.Column("t0", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("boot_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("t1", sa.DateTime(timezone=True), nullable=False),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("fmt", sa.SmallInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    postgresql_partition_by="RANGE (t0)",
)

INGEST_LOG = sa.Table(
    "ingest_log",
    METADATA,
    sa.Column("company_id", sa.Uuid, primary_key=True),
    sa.Column("txid", Xid8, primary_key=True),
    sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("device_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
    sa.Column("t0s", ARRAY(sa.DateTime(timezone=True)), nullable=False),
    sa.Column("boot_ids", ARRAY(sa.BigInteger), nullable=False),
    sa.Column("seqs", ARRAY(sa.BigInteger), nullable=False),
    sa.Column("parts", ARRAY(sa.Integer), nullable=False),
    sa.Index("ingest_log_txid_idx", "txid"),
)

LOG_CURSOR = sa.Table(
    "log_cursor",
    METADATA,
    sa.Column("company_id", sa.Uuid, primary_key=True),
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("next_txid", Xid8, nullable=False),
)

DEVICE_LATEST = sa.Table(
    "device_latest",
    METADATA,
    sa.Column("company_id", sa.Uuid, primary_key=True),
    sa.Column("device_id", sa.Uuid, primary_key=True),
    sa.Column("sensors", ARRAY(sa.Text), nullable=False),
    sa.Column("times_ms", ARRAY(sa.BigInteger), nullable=False),
    sa.Column("readings", ARRAY(sa.Double), nullable=False),
    sa.Column("position_ms", sa.BigInteger),
    sa.Column("latitude_e7", sa.BigInteger),
    sa.Column("longitude_e7", sa.BigInteger),
    sa.Column("last_upload_at", sa.DateTime(timezone=True), nullable=False),
)

OUTBOX = outbox_table(METADATA)
