"""Settings."""

import io
from typing import Any

import pytest
from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Port, Secret, ServiceSettings, print_settings

GOOD = {
    "GRPC_PORT": "0",
    "HTTP_PORT": "0",
    "DATABASE_URL": "postgresql+asyncpg://kettle:a-good-one@127.0.0.1/kettle",
    "NATS_USER": "kettle",
    "NATS_PASSWORD": "a-good-one",
    "SERVICE_SECRET": "another-good-one",
}


class KettleSettings(ServiceSettings):
    """Settings of a service that boils water."""

    model_config = SettingsConfigDict(env_prefix="DASHTRACK_KETTLE_")

    grpc_port: Port = Field(50099, description="Port of the gRPC server; 0 picks a free one.")
    heat_w: int = Field(2000, ge=100, le=3000, description="How hard to heat.")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A complete environment for the kettle."""
    for name, value in GOOD.items():
        monkeypatch.setenv(f"DASHTRACK_KETTLE_{name}", value)
    return monkeypatch


def load(**arguments: Any) -> KettleSettings:
    """Read the settings from the environment."""
    return KettleSettings(**arguments)


def test_settings_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    """Each setting is a variable with the service's prefix."""
    environment.setenv("DASHTRACK_KETTLE_HEAT_W", "1500")
    assert load().heat_w == 1500
    assert load().grpc_port == 0


def test_settings_are_frozen(environment: pytest.MonkeyPatch) -> None:
    """Nobody changes settings while the service runs."""
    with pytest.raises(ValidationError):
        load().heat_w = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", ["DATABASE_URL", "NATS_PASSWORD", "SERVICE_SECRET"])
def test_secret_has_no_default(environment: pytest.MonkeyPatch, name: str) -> None:
    """A secret that isn't given is missing."""
    environment.delenv(f"DASHTRACK_KETTLE_{name}")
    with pytest.raises(ValidationError):
        load()


@pytest.mark.parametrize("value", ["  ", "changeme", "CHANGEME", "<secret>", "password"])
def test_placeholder_is_refused(environment: pytest.MonkeyPatch, value: str) -> None:
    """A secret that was copied from an example keeps the service from starting."""
    environment.setenv("DASHTRACK_KETTLE_SERVICE_SECRET", value)
    with pytest.raises(ValidationError, match="placeholder"):
        load()


def test_unknown_variable_is_fatal(environment: pytest.MonkeyPatch) -> None:
    """A misspelt variable is found at the start rather than wondered about later."""
    environment.setenv("DASHTRACK_KETTLE_HEET_W", "1500")
    with pytest.raises(ValidationError, match="DASHTRACK_KETTLE_HEET_W"):
        load()


def test_variables_of_other_services_are_none_of_ours(environment: pytest.MonkeyPatch) -> None:
    """Services that share an environment don't trip over each other."""
    environment.setenv("DASHTRACK_TEAPOT_LID", "on")
    assert load().heat_w == 2000


def test_database_without_its_driver_is_refused(environment: pytest.MonkeyPatch) -> None:
    """An address that would need another driver is refused at the start."""
    environment.setenv("DASHTRACK_KETTLE_DATABASE_URL", "postgresql://k:a-good-one@127.0.0.1/k")
    with pytest.raises(ValidationError, match="asyncpg"):
        load()


def test_secrets_are_not_shown(environment: pytest.MonkeyPatch) -> None:
    """Neither printing the settings nor failing to read them tells a secret."""
    assert "a-good-one" not in repr(load())
    environment.setenv("DASHTRACK_KETTLE_HEAT_W", "7")
    with pytest.raises(ValidationError) as caught:
        load()
    assert "good-one" not in str(caught.value)


def test_printed_settings_are_a_commented_environment_file() -> None:
    """Each setting is shown with what it means, its limits and its default."""
    out = io.StringIO()
    print_settings(KettleSettings, out)
    text = out.getvalue()
    assert "# How hard to heat. At least 100. At most 3000.\nDASHTRACK_KETTLE_HEAT_W=2000\n" in text
    for name in KettleSettings.model_fields:
        assert f"DASHTRACK_KETTLE_{name.upper()}=" in text


def test_printed_settings_say_which_are_required_and_secret() -> None:
    """An operator sees what has to be filled in, and what has to be kept."""
    out = io.StringIO()
    print_settings(KettleSettings, out)
    blocks = {block.rpartition("\n")[2]: block for block in out.getvalue().strip().split("\n\n")}
    secret = blocks["DASHTRACK_KETTLE_SERVICE_SECRET="]
    assert "Required. Secret." in secret


def test_secrets_within_other_types_are_called_secrets() -> None:
    """A secret that may be left out, or that is one of several, is kept like any other."""

    class Teapot(KettleSettings):
        spare: Secret | None = Field(None, description="One.")
        others: dict[str, Secret] = Field(description="Some.")

    out = io.StringIO()
    print_settings(Teapot, out)
    assert "# One. Secret.\n" in out.getvalue()
    assert "# Some. Required. Secret.\n" in out.getvalue()


def test_printed_settings_can_be_filled_in_and_read(
    environment: pytest.MonkeyPatch,
) -> None:
    """The printed file works as it is, once what is required was added."""
    out = io.StringIO()
    print_settings(KettleSettings, out)
    for line in out.getvalue().splitlines():
        name, _, value = line.partition("=")
        if name.startswith("DASHTRACK_") and name.removeprefix("DASHTRACK_KETTLE_") not in GOOD:
            environment.setenv(name, value)
    assert load().otlp_endpoint is None


def test_every_setting_is_described() -> None:
    """No setting is left to be guessed."""
    assert all(field.description for field in ServiceSettings.model_fields.values())
