"""The README's examples, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.stack import Stack

pytestmark = pytest.mark.timeout(240)

_ROOT = Path(__file__).parents[2]
_README = _ROOT / "README.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", _README.read_text(), re.MULTILINE | re.DOTALL)


def test_the_examples_work_after_the_demo(stack: Stack, tmp_path: Path) -> None:
    """`make demo`, then each shell block in one shell, then the gRPC client, do what they say."""
    demo = stack.run("demo", "--seconds", "2")
    assert demo.returncode == 0, demo.stdout
    (tmp_path / ".dashtrack").symlink_to(stack.layout.folder)
    (tmp_path / "client.py").write_text(_blocks("python")[0])
    shell = "\n".join(_blocks("sh")).replace("http://localhost:8080", stack.addresses.rest)
    shell = shell.replace(".venv/bin/python", sys.executable)
    client = f'TOKEN="$TOKEN" GATEWAY="$GATEWAY" {sys.executable} client.py'
    finished = subprocess.run(
        ["/bin/bash", "-c", f"set -euo pipefail\n{shell}\n{client}"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(_ROOT),
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    over_rest = ('"devices"', '"sensors"', '"readings"', '"latest"')
    over_grpc = ("sensors {", "readings {", "latest {")
    of_a_company = ("refused: the key may", "refused: the access", "intact: ", "STATE_DELETED")
    for expected in over_rest + over_grpc + of_a_company:
        assert expected in finished.stdout, finished.stdout
