"""The stack's settings move every port at once and refuse what they don't know."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.environments import laptop
from services.stack.settings import StackSettings


def test_the_offset_moves_every_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two checkouts run side by side when one sets the offset."""
    plain = StackSettings().ports()
    monkeypatch.setenv("DASHTRACK_STACK_PORT_OFFSET", "100")
    assert StackSettings().ports() == {name: port + 100 for name, port in plain.items()}


def test_no_two_parts_share_a_port() -> None:
    """Neither by default nor with an offset between two stacks of a hundred ports."""
    ports = StackSettings().ports().values()
    assert len(set(ports)) == len(list(ports))


def test_an_unknown_variable_is_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped setting is an error, not a silence."""
    monkeypatch.setenv("DASHTRACK_STACK_GATEWAY_PROT", "80")
    with pytest.raises(ValidationError, match="GATEWAY_PROT"):
        StackSettings()


def test_a_relative_state_folder_is_made_absolute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The supervisor works elsewhere than the command that started it."""
    monkeypatch.chdir(tmp_path)
    assert StackSettings(state_dir=Path("state")).state_dir == tmp_path / "state"


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """One or several, as people write them; none by default."""
    assert StackSettings().cors_origins == ()
    monkeypatch.setenv("DASHTRACK_STACK_CORS_ORIGINS", "https://a.example, http://localhost:5173")
    assert StackSettings().cors_origins == ("https://a.example", "http://localhost:5173")


@pytest.mark.parametrize("wrong", ["*", "a.example", "https://a.example/"])
def test_what_is_no_origin_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would match no page, silently."""
    monkeypatch.setenv("DASHTRACK_STACK_CORS_ORIGINS", wrong)
    with pytest.raises(ValidationError, match="cors_origins"):
        StackSettings()


def test_the_gateways_laptop_rendering_has_the_stacks_ports() -> None:
    """What `python -m gateway render --env laptop` writes fits what `make up` runs."""
    settings, rendered = StackSettings(), laptop()
    assert rendered.http_port == settings.gateway_port
    assert rendered.admin_port == settings.gateway_admin_port
    for name, address in rendered.services.items():
        assert address.grpc_port == settings.port(f"{name}_grpc_port")
        assert address.http_port == settings.port(f"{name}_http_port")
