"""A service as a process: its command line, its signals, its output."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.integration.chassis.kettle import KettleSettings

_PROGRAM = """
import sys
from pathlib import Path
from services.chassis.service import App, main
from tests.integration.chassis.kettle import KettleSettings
from tests.unit.chassis.echo import SERVICE, EchoService

async def build(runtime):
    return App(service_names=[SERVICE], register=EchoService().register)

main("kettle", KettleSettings, build, migrations=Path(MIGRATIONS))
"""


async def spawn(
    migrations: Path, environment: dict[str, str], *arguments: str
) -> asyncio.subprocess.Process:
    """Start the kettle as `python -m services.kettle` would be."""
    program = _PROGRAM.replace("MIGRATIONS", repr(str(migrations)))
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        *arguments,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def environment(kettle: KettleSettings) -> dict[str, str]:
    """Turn settings into the variables that they come from."""
    values = kettle.model_dump(exclude_none=True)
    for name in ("database_url", "nats_password", "service_secret"):
        values[name] = values[name].get_secret_value()
    return {f"DASHTRACK_KETTLE_{name.upper()}": str(value) for name, value in values.items()}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_stops_a_service_in_order(
    kettle: KettleSettings, migrations: Path, number: signal.Signals
) -> None:
    """A service that is told to stop ends with 0, and logged nothing but JSON."""
    process = await spawn(migrations, environment(kettle))
    assert process.stdout is not None
    lines = []
    async for line in process.stdout:
        lines.append(json.loads(line))
        if lines[-1]["event"] == "serving":
            process.send_signal(number)
    errors = await process.stderr.read() if process.stderr else b""
    assert (await process.wait(), errors) == (0, b"")
    assert lines[-1]["event"] == "stopped"
    assert {line["service"] for line in lines} == {"kettle"}
    assert not [line for line in lines if line["level"] in ("warning", "error")]
    assert kettle.service_secret.get_secret_value() not in json.dumps(lines)


async def test_service_can_be_stopped_while_it_waits(
    kettle: KettleSettings, migrations: Path
) -> None:
    """A service whose database never comes still goes when it is told to."""
    variables = environment(kettle)
    variables["DASHTRACK_KETTLE_DATABASE_URL"] = "postgresql+asyncpg://k:a-good-one@127.0.0.1:1/k"
    process = await spawn(migrations, variables)
    assert process.stdout is not None
    async for line in process.stdout:
        assert b"a-good-one" not in line
        if json.loads(line)["event"] == "migrations_wait":
            process.terminate()
    assert await process.wait() == 0


async def test_bad_settings_are_named(kettle: KettleSettings, migrations: Path) -> None:
    """Each wrong variable is told by its name, without a stack and without secrets."""
    variables = environment(kettle)
    variables["DASHTRACK_KETTLE_GRPC_PORT"] = "-1"
    variables["DASHTRACK_KETTLE_SERVICE_SECRET"] = "changeme"
    del variables["DASHTRACK_KETTLE_NATS_USER"]
    process = await spawn(migrations, variables)
    _, errors = await process.communicate()
    assert process.returncode == 2
    told = [line.partition(":")[0] for line in errors.decode().splitlines()]
    assert sorted(told) == [
        "DASHTRACK_KETTLE_GRPC_PORT",
        "DASHTRACK_KETTLE_NATS_USER",
        "DASHTRACK_KETTLE_SERVICE_SECRET",
    ]


async def test_settings_command_prints_them(migrations: Path) -> None:
    """The settings can be read without any being set."""
    process = await spawn(migrations, {}, "settings")
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert b"DASHTRACK_KETTLE_NATS_USER=\n" in out


async def test_taken_port_ends_the_start(kettle: KettleSettings, migrations: Path) -> None:
    """Two services don't share a port by accident."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for name in ("GRPC_PORT", "HTTP_PORT"):
        variables = environment(kettle) | {f"DASHTRACK_KETTLE_{name}": str(port)}
        process = await spawn(migrations, variables)
        out, _ = await process.communicate()
        assert process.returncode == 1
        assert b"service_failed" in out
    server.close()
    await server.wait_closed()
