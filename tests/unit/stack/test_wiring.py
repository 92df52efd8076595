"""Each service understands what the stack tells it."""

import importlib
from pathlib import Path

import pytest

from services.chassis.settings import ServiceSettings
from services.stack.credentials import SERVICES, Credentials, load_credentials
from services.stack.layout import Layout
from services.stack.settings import StackSettings
from services.stack.wiring import service_wiring


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    """Freshly made credentials."""
    return load_credentials(tmp_path / "secrets.json")


def settings_of(
    service: str, credentials: Credentials, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> ServiceSettings:
    """Let a service read the environment that the stack would give it."""
    urls = {name: f"postgresql+asyncpg://{name}:pw@127.0.0.1/{name}" for name in SERVICES}
    stack = StackSettings(port_offset=100)
    wiring = service_wiring(service, stack, Layout(folder), credentials, urls)
    for name, value in wiring.items():
        monkeypatch.setenv(name, value)
    module = importlib.import_module(f"services.{service}.settings")
    settings: ServiceSettings = getattr(module, f"{service.capitalize()}Settings")()
    return settings


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_accepts_its_wiring(
    service: str, credentials: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable is unknown to it, and none is missing."""
    settings = settings_of(service, credentials, tmp_path, monkeypatch)
    assert settings.grpc_port == StackSettings(port_offset=100).port(f"{service}_grpc_port")
    assert settings.nats_user == service


@pytest.mark.parametrize("service", SERVICES)
def test_every_address_of_a_neighbour_is_moved_by_the_offset(
    service: str, credentials: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that a service dials is left at its default, in the other checkout."""
    settings = settings_of(service, credentials, tmp_path, monkeypatch)
    targets = {name for name in type(settings).model_fields if name.endswith("_target")}
    for name in targets:
        neighbour = name.removesuffix("_target")
        port = StackSettings(port_offset=100).port(f"{neighbour}_grpc_port")
        assert getattr(settings, name) == f"127.0.0.1:{port}"


def test_a_service_gets_no_secret_but_its_own(credentials: Credentials, tmp_path: Path) -> None:
    """Only auth, which checks them, knows the others' secrets."""
    urls = {name: f"postgresql+asyncpg://{name}:pw@127.0.0.1/{name}" for name in SERVICES}
    wiring = service_wiring("users", StackSettings(), Layout(tmp_path), credentials, urls)
    told = " ".join(wiring.values())
    foreign = [credentials.services["telemetry"], credentials.nats["auth"]]
    foreign += [credentials.encryption_key, credentials.administrator_password]
    assert not any(secret in told for secret in foreign)
