"""Envoy accepts every rendering."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import TlsFiles, render
from gateway.environments import ENVIRONMENTS


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_envoy_accepts_the_configuration(name: str, certificate: TlsFiles, tmp_path: Path) -> None:
    """`--mode validate` loads it whole: listeners, routes, filters, descriptor, certificates."""
    settings = ENVIRONMENTS[name]()
    if settings.tls is not None:
        settings = replace(settings, tls=certificate)
    command = render(settings, tmp_path)

    finished = subprocess.run(
        [*command, "--mode", "validate"], capture_output=True, text=True, check=False, timeout=60
    )

    assert finished.returncode == 0, finished.stderr[-2000:]
    assert "eprecated" not in finished.stderr
