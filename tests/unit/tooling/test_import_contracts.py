"""The import rules of pyproject.toml catch each kind of violation that they are there for."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# A service in small that keeps every rule.
CLEAN = {
    "chassis/errors.py": "import enum\n",
    "chassis/database.py": "import sqlmodel, nats, grpc\n",
    "stack/__init__.py": "",
    "users/domain.py": "from services.chassis.errors import enum\n",
    "users/ports.py": "import typing, services.users.domain\n",
    "users/usecases.py": "import services.users.ports, services.users.domain\n",
    "users/codec.py": "import dashtrack, google.protobuf, services.users.domain\n",
    "users/grpc_api.py": "import grpc, services.users.codec, services.users.usecases\n",
    "users/storage/rows.py": "import sqlmodel\n",
    "users/storage/repository.py": "import services.users.storage.rows, services.users.ports\n",
    "users/app.py": "import services.users.grpc_api, services.users.storage.repository\n",
    "telemetry/domain.py": "import numpy\n",
    "../devices/board.py": "import dashtrack\n",
}


def broken_contracts(folder: Path, files: dict[str, str]) -> list[str]:
    """Write the files below `services`, lint their imports, return what is reported broken."""
    for name, content in files.items():
        path = folder / "services" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    for package in folder.rglob("*"):
        if package.is_dir():
            (package / "__init__.py").touch()
    settings = ROOT.joinpath("pyproject.toml").read_text("utf-8")
    section = settings[settings.index("[tool.importlinter]") :]
    assert set(tomllib.loads(section)["tool"]) == {"importlinter"}
    here = re.sub(r"root_packages = .*", 'root_packages = ["devices", "services"]', section)
    (folder / "pyproject.toml").write_text(here, "utf-8")
    result = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{ROOT}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    broken = [
        line.removesuffix(" BROKEN") for line in result.stdout.splitlines() if "BROKEN" in line
    ]
    assert result.returncode == bool(broken), result.stdout + result.stderr
    return broken


def test_a_service_that_keeps_the_rules_passes(tmp_path: Path) -> None:
    """Nothing is reported for code that is laid out as the rules say."""
    assert broken_contracts(tmp_path, CLEAN) == []


@pytest.mark.parametrize(
    ("file", "code", "contract"),
    [
        ("users/domain.py", "import services.users.usecases", "down its layers"),
        ("users/storage/rows.py", "import services.users.grpc_api", "down its layers"),
        ("users/usecases.py", "import services.telemetry.domain", "through the protos only"),
        ("chassis/errors.py", "import services.users.domain", "through the protos only"),
        ("users/domain.py", "import pydantic", "The core of a service"),
        ("users/ports.py", "import services.chassis.database", "The core of a service"),
        ("users/usecases.py", "import numpy", "The core of a service"),
        ("telemetry/domain.py", "import pydantic", "The core of telemetry"),
        ("users/storage/rows.py", "import dashtrack", "Protobuf and gRPC stop"),
        ("users/grpc_api.py", "import sqlmodel", "SQL stays in storage"),
        ("users/consumers.py", "import nats", "NATS is spoken by the chassis"),
        ("../devices/board.py", "import services.chassis.errors", "Boards and the gateway know"),
        ("users/clients.py", "import devices.board", "The stack alone starts"),
    ],
)
def test_a_seeded_violation_is_caught(tmp_path: Path, file: str, code: str, contract: str) -> None:
    """Each rule reports the import that breaks it."""
    broken = broken_contracts(tmp_path, CLEAN | {file: code + "\n"})

    assert any(contract in name for name in broken), broken
