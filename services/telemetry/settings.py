"""What the service is told by its environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Port, Secret, ServiceSettings


class TelemetrySettings(ServiceSettings):
    """Settings of telemetry, read from `DASHTRACK_TELEMETRY_*`."""

    model_config = SettingsConfigDict(env_prefix="DASHTRACK_TELEMETRY_")

    grpc_port: Port = Field(15054, description="Port of the gRPC server; 0 picks a free one.")
    http_port: Port = Field(15064, description="Port of the HTTP server; 0 picks a free one.")
    nats_user: str = Field("telemetry", description="NATS user of this service.")
    companies_target: str = Field(
        "127.0.0.1:15053", description="gRPC address of companies: companies and their vehicles."
    )
    claim_key: Secret = Field(
        description="Key that device secrets are derived with; the same in every replica."
    )
    claim_ttl_h: float = Field(
        168.0, gt=0, le=8760, description="How long a claim code works, in hours."
    )
    retention_d: int = Field(
        400, ge=1, le=3650, description="How far back readings are stored, in days."
    )
    suspended_retry_s: int = Field(
        300,
        ge=1,
        le=86_400,
        description="When boards of a suspended company are asked to come back.",
    )
    ahead_h: float = Field(
        24.0, ge=0, le=168, description="How far ahead of the server's clock readings may lie."
    )
    writers: int = Field(1, ge=1, le=8, description="Connections that batches are written over.")
    flush_interval_ms: float = Field(
        5.0, ge=0, le=100, description="How long the first batch of a flush waits for others."
    )
    flush_batches_max: int = Field(256, ge=1, le=4096, description="Most batches of one flush.")
    queue_batches_max: int = Field(
        4096, ge=1, le=1_000_000, description="Most batches that wait for one writer."
    )
    upload_interval_s: int = Field(
        30, ge=1, le=86_400, description="Time between uploads that devices are asked for."
    )
    token_renewal_h: float = Field(
        12.0,
        ge=0,
        le=24,
        description="A device whose token ends within this time gets a new one with an upload.",
    )
