"""What the stack is told by its environment: where its state lives and which ports it takes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.chassis.settings import Port

PREFIX = "DASHTRACK_STACK_"
ROOT = Path(__file__).resolve().parents[2]
"""The checkout that this module belongs to."""

Origin: TypeAlias = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$")]
"""Scheme, host and perhaps port of a page, as browsers send it: no slash at the end."""


class StackSettings(BaseSettings):
    """Settings of the laptop stack; each has a default that works."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    state_dir: Path = Field(
        ROOT / ".dashtrack", description="Folder of data, secrets, logs and pid files."
    )
    port_offset: int = Field(
        0, ge=0, le=10_000, description="Added to every port, so that two stacks run side by side."
    )
    # Boards reach the gateway over the network; nothing else is public.
    gateway_host: Literal["0.0.0.0", "127.0.0.1"] = Field(  # noqa: S104
        "0.0.0.0",  # noqa: S104
        description="Who reaches the gateway's public ports: every network, or this machine.",
    )
    gateway_port: Port = Field(8080, description="REST, gRPC and device uploads, plain.")
    gateway_tls_port: Port = Field(8443, description="The same with TLS.")
    gateway_admin_port: Port = Field(9901, description="Envoy's admin interface (loopback).")
    auth_grpc_port: Port = Field(15051, description="gRPC port of auth.")
    auth_http_port: Port = Field(15061, description="Metrics, health and JWKS of auth.")
    users_grpc_port: Port = Field(15052, description="gRPC port of users.")
    users_http_port: Port = Field(15062, description="Metrics and health of users.")
    companies_grpc_port: Port = Field(15053, description="gRPC port of companies.")
    companies_http_port: Port = Field(15063, description="Metrics and health of companies.")
    telemetry_grpc_port: Port = Field(15054, description="gRPC port of telemetry.")
    telemetry_http_port: Port = Field(15064, description="Metrics and health of telemetry.")
    postgres_port: Port = Field(15432, description="PostgreSQL's port.")
    nats_port: Port = Field(14222, description="NATS's port.")
    device_uploads_per_s: int = Field(
        10, ge=1, description="Uploads a second that the gateway lets one device make."
    )
    device_uploads_burst: int = Field(
        60, ge=1, description="Uploads that one device may make at once."
    )
    address_calls_per_s: int = Field(
        200, ge=1, description="Calls a second, without uploads, that one address may make."
    )
    address_calls_burst: int = Field(
        1_000, ge=1, description="Calls that one address may make at once."
    )
    cors_origins: Annotated[tuple[Origin, ...], NoDecode] = Field(
        (), description="Origins whose pages may call the API, with commas between."
    )
    postgres_shared_buffers_mb: int = Field(
        256, ge=16, le=65_536, description="Memory that PostgreSQL keeps pages in."
    )
    postgres_connections_max: int = Field(
        200, ge=20, le=2_000, description="Connections that PostgreSQL accepts."
    )
    bootstrap_email: str = Field(
        "admin@dashtrack.example", description="Login of the first administrator."
    )
    otlp_endpoint: str | None = Field(
        None, description="OTLP/gRPC receiver of traces (http://host:port); none if empty."
    )
    trace_sample_ratio: float = Field(
        0.01, ge=0, le=1, description="Share of requests that the gateway traces."
    )
    start_timeout_s: float = Field(
        60.0, gt=0, description="How long a part may take to answer before `up` gives in."
    )
    stop_timeout_s: float = Field(
        15.0, gt=0, description="How long a part may take to stop before it is killed."
    )
    drain_timeout_s: float = Field(
        3.0, ge=0, description="How long the gateway waits for running requests when it stops."
    )
    probe_interval_s: float = Field(2.0, gt=0, description="Pause between two health checks.")
    probe_timeout_s: float = Field(
        4.0, gt=0, description="A part that takes longer to answer counts as hung."
    )
    log_size_bytes_max: int = Field(
        16_777_216, ge=65_536, description="A log that grows beyond this is rotated."
    )
    log_files_kept: int = Field(3, ge=1, le=100, description="Rotated files kept for each log.")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]

    @field_validator("state_dir")
    @classmethod
    def _make_absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @model_validator(mode="after")
    def _refuse_unknown_variables(self) -> Self:
        known = {PREFIX + name.upper() for name in type(self).model_fields}
        unknown = sorted(key for key in os.environ if key.startswith(PREFIX) and key not in known)
        if unknown:
            message = f"unknown variables: {', '.join(unknown)}"
            raise ValueError(message)
        return self

    def port(self, name: str) -> int:
        """Return a port by the name of its setting (`gateway_port`), with the offset added."""
        number: int = getattr(self, name)
        return number + self.port_offset if number else 0

    def ports(self) -> Mapping[str, int]:
        """Return every port by the name of its setting, with the offset added."""
        names = [name for name in type(self).model_fields if name.endswith("_port")]
        return {name: self.port(name) for name in names}

    @property
    def silence_s(self) -> float:
        """How long the supervisor may be silent before it counts as hung."""
        return 3 * self.probe_interval_s + 4
