"""What a service is told by its environment: frozen, checked at start, secrets without defaults."""

import os
import sys
import textwrap
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self, TextIO, get_args

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict

_DATABASE_SCHEME = "postgresql+asyncpg://"

_PLACEHOLDERS = frozenset(
    {"changeme", "change-me", "changethis", "default", "example", "password", "placeholder"}
    | {"secret", "test", "todo", "xxx", "..."}
)


def _refuse_placeholder(value: SecretStr, info: ValidationInfo) -> SecretStr:
    plain = value.get_secret_value().strip()
    if not plain or plain.lower().strip("<>") in _PLACEHOLDERS:
        # The value stays out of the message: it would end up in a log.
        raise ValueError(f"{info.field_name} is empty or a placeholder")
    return value


Secret = Annotated[SecretStr, AfterValidator(_refuse_placeholder)]
"""A secret setting: never printed, never defaulted, never a placeholder."""

Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 lets the system pick a free one."""


class ServiceSettings(BaseSettings):
    """Settings that every service has; a service subclasses this with its own prefix."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        # The printed table is an environment file: what it leaves empty is not set.
        env_ignore_empty=True,
    )

    grpc_host: str = Field("127.0.0.1", description="Address that the gRPC server listens on.")
    grpc_port: Port = Field(description="Port of the gRPC server; 0 picks a free one.")
    http_host: str = Field(
        "127.0.0.1", description="Address that /metrics, /healthz and own HTTP routes listen on."
    )
    http_port: Port = Field(description="Port of the HTTP server; 0 picks a free one.")
    database_url: Secret = Field(
        description="postgresql+asyncpg://user:password@host:port/name of the service's database."
    )
    database_pool_size: int = Field(10, ge=1, le=200, description="Connections kept in the pool.")
    database_statement_timeout_s: float = Field(
        15.0, gt=0, le=600, description="A statement that runs longer is cancelled."
    )
    nats_url: str = Field("nats://127.0.0.1:14222", description="NATS servers, comma-separated.")
    nats_user: str = Field(description="NATS user of this service.")
    nats_password: Secret = Field(description="Password of the NATS user.")
    jwks_url: str = Field(
        "http://127.0.0.1:15061/.well-known/jwks.json",
        description="Where the public keys that sign access tokens are published.",
    )
    auth_target: str = Field(
        "127.0.0.1:15051", description="gRPC address of auth: service tokens and revocations."
    )
    service_secret: Secret = Field(
        description="Client secret that this service exchanges at auth for its service token."
    )
    otlp_endpoint: str | None = Field(
        None, description="OTLP/gRPC endpoint for traces; without one no traces are exported."
    )
    trace_sample_ratio: float = Field(
        0.01, ge=0, le=1, description="Share of traces sampled when the caller has not decided."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is logged."
    )
    shutdown_delay_s: float = Field(
        0.0, ge=0, description="How long to serve as NOT_SERVING, for load balancers to notice."
    )
    shutdown_grace_s: float = Field(
        10.0, ge=0, description="How long running calls may go on after the delay."
    )
    token_issuer: str = Field("dashtrack", description="Issuer that access tokens must name.")
    proxies_trusted: int = Field(
        1, ge=0, le=10, description="Proxies before the service that append to x-forwarded-for."
    )

    @field_validator("database_url")
    @classmethod
    def _require_driver(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(_DATABASE_SCHEME):
            message = f"must begin with {_DATABASE_SCHEME}"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _refuse_unknown_variables(self) -> Self:
        prefix = type(self).env_prefix()
        known = {prefix + name.upper() for name in type(self).model_fields}
        unknown = sorted(
            name
            for name in (key.upper() for key in os.environ)
            if name.startswith(prefix) and name not in known
        )
        if unknown:
            raise ValueError(f"unknown variables: {', '.join(unknown)}")
        return self

    @classmethod
    def env_prefix(cls) -> str:
        """Return the prefix of the environment variables that belong to these settings."""
        return str(cls.model_config.get("env_prefix") or "").upper()


def print_settings(cls: type[ServiceSettings], out: TextIO | None = None) -> None:
    """Print every setting of a service as a commented environment file."""
    out = out or sys.stdout
    blocks = (
        "\n".join([*_comment(field), f"{cls.env_prefix()}{name.upper()}={_shown_default(field)}"])
        for name, field in cls.model_fields.items()
    )
    out.write("\n\n".join(blocks) + "\n")


def _comment(field: FieldInfo) -> Iterator[str]:
    required = " Required." if field.is_required() else ""
    limits = "".join(_limits(field))
    secret = " Secret." if _is_secret(field) else ""
    text = f"{field.description or ''}{limits}{required}{secret}"
    return (f"# {line}" for line in textwrap.wrap(text, width=96))


def _limits(field: FieldInfo) -> Iterator[str]:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    for constraint in field.metadata:
        for name, word in words.items():
            bound = getattr(constraint, name, None)
            if bound is not None:
                yield f" {word.capitalize()} {bound}."


def _is_secret(field: FieldInfo) -> bool:
    return _holds_secret(field.annotation)


def _holds_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_holds_secret, get_args(annotation)))


def _shown_default(field: FieldInfo) -> str:
    default: Any = field.default
    return "" if default is None or default is PydanticUndefined else str(default)
