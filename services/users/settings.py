"""What the service is told by its environment."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Port, ServiceSettings
from services.chassis.streams import EVENT_LIFE_S


class UsersSettings(ServiceSettings):
    """Settings of users, read from `DASHTRACK_USERS_*`."""

    model_config = SettingsConfigDict(env_prefix="DASHTRACK_USERS_")

    grpc_port: Port = Field(15052, description="Port of the gRPC server; 0 picks a free one.")
    http_port: Port = Field(15062, description="Port of the HTTP server; 0 picks a free one.")
    nats_user: str = Field("users", description="NATS user of this service.")
    companies_target: str = Field(
        "127.0.0.1:15053", description="gRPC address of companies: whether a company exists."
    )
    bootstrap_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] = Field(
        description="E-mail address of the first administrator, who is added at the first start."
    )
    deleted_kept_s: int = Field(
        EVENT_LIFE_S,
        # No event of a person may arrive after they were purged: it would bring them back.
        ge=EVENT_LIFE_S,
        le=3650 * 24 * 3600,
        description="How long a deleted person can be had back before they are purged.",
    )
    purge_interval_s: float = Field(
        600.0, gt=0, le=86_400, description="How often people are looked for who are to be purged."
    )
    invitation_interval_s: float = Field(
        300.0, gt=0, le=86_400, description="How long nobody is invited again."
    )
