"""What the service is told by its environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Port, ServiceSettings


class CompaniesSettings(ServiceSettings):
    """Settings of companies, read from `DASHTRACK_COMPANIES_*`."""

    model_config = SettingsConfigDict(env_prefix="DASHTRACK_COMPANIES_")

    grpc_port: Port = Field(15053, description="Port of the gRPC server; 0 picks a free one.")
    http_port: Port = Field(15063, description="Port of the HTTP server; 0 picks a free one.")
    nats_user: str = Field("companies", description="NATS user of this service.")
    users_target: str = Field(
        "127.0.0.1:15052", description="gRPC address of users: how people stand."
    )
    telemetry_target: str = Field(
        "127.0.0.1:15054", description="gRPC address of telemetry: devices, for dashboards."
    )
    erasure_reminder_s: float = Field(
        60.0,
        ge=0.1,
        le=86_400,
        description="After how long a service that has not erased a company is asked again.",
    )
