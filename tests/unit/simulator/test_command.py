"""`python -m devices.simulator` as somebody in front of a terminal sees it."""

import asyncio
import json
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from devices.simulator.board import EXCHANGE_PATH
from devices.simulator.transport import Reply
from tests.unit.simulator.gateways import FakeGateway


@dataclass(frozen=True)
class Terminal:
    """A command line in front of a small gateway."""

    gateway: FakeGateway
    url: str
    claims: Path

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start the command with two boards."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "devices.simulator", "--gateway", self.url),
            *("--claims", str(self.claims), "--batch-seconds", "0.2", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str) -> tuple[int | None, str, str]:
        """Run the command to its end; returns its status and what it printed."""
        process = await self.start(*arguments)
        output, errors = await process.communicate()
        return process.returncode, output.decode(), errors.decode()


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    """A terminal, two claims and a gateway that accepts everything."""
    gateway = FakeGateway()

    async def handle(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = await gateway.post(request.path, await request.read(), headers)
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    claims = tmp_path / "claims.json"
    claims.write_text(
        "\n".join(
            json.dumps({"device": {"hardwareId": f"aa:{n}"}, "claimCode": f"SECRET-CODE-{n}"})
            for n in range(2)
        )
    )
    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    async with TestServer(app) as server:
        yield Terminal(gateway, str(server.make_url("/")), claims)


async def test_a_fleet_runs_and_ends_with_a_summary(terminal: Terminal) -> None:
    """Two boards deliver five minutes and a moment, and the last lines say so."""
    status, output, errors = await terminal.run("--backfill-minutes", "5", "--seconds", "0.5")

    assert (status, errors) == (0, "")
    assert "2 boards: " in output
    assert "0 retries, 0 quarantined, 0 readings dropped" in output
    assert sum(batch.sample_count for batch in terminal.gateway.stored) >= 2 * 300
    assert "SECRET" not in output


async def test_trips_are_replayed_instead_of_drives(terminal: Terminal) -> None:
    """A bare `--trips` replays the sample of the repository."""
    status, _, errors = await terminal.run(
        "--trips", "--backfill-minutes", "1", "--seconds", "0", "--encoding", "float"
    )

    assert (status, errors) == (0, "")
    assert all(batch.offsets_ms for batch in terminal.gateway.stored if batch.sample_count == 0)
    assert {sensor.key for batch in terminal.gateway.stored for sensor in batch.sensors} >= {
        "speed_kmh",
        "odometer_m",
    }


async def test_boards_with_a_state_folder_are_claimed_once(
    terminal: Terminal, tmp_path: Path
) -> None:
    """The same command works again: the secrets are kept."""
    arguments = ("--seconds", "0.2", "--state", str(tmp_path / "state"))
    first, _, _ = await terminal.run(*arguments)
    terminal.gateway.requests.clear()
    second, _, _ = await terminal.run(*arguments)

    assert (first, second) == (0, 0)
    assert terminal.gateway.paths[:2] == [EXCHANGE_PATH, EXCHANGE_PATH]


async def test_a_board_that_was_stopped_is_named_and_makes_the_command_fail(
    terminal: Terminal,
) -> None:
    """A script notices; a person reads which board and why."""
    terminal.gateway.claim_replies = deque(
        [Reply(401, headers={"x-dashtrack-reason": "CLAIM_CODE_INVALID"})]
    )
    status, _, errors = await terminal.run("--seconds", "0.2")

    assert status == 1
    assert "stopped: CLAIM_CODE_INVALID" in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupt_ends_the_fleet_in_order(
    terminal: Terminal, signal_number: signal.Signals
) -> None:
    """What was sampled is delivered, the summary is printed, and nothing has failed."""
    uploaded = asyncio.Event()
    terminal.gateway.on_upload = uploaded.set
    process = await terminal.start("--seconds", "3600")
    await uploaded.wait()
    process.send_signal(signal_number)
    output, errors = await process.communicate()

    assert (process.returncode, errors) == (0, b"")
    assert b"2 boards: " in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--claims", "nowhere.json"), "nowhere.json"),
        (("--trips", "."), "no trips"),
    ],
)
async def test_a_command_line_that_makes_no_sense_is_refused(
    terminal: Terminal, tmp_path: Path, arguments: tuple[str, str], message: str
) -> None:
    """One line says what is wrong, without a stack."""
    status, output, errors = await terminal.run(arguments[0], str(tmp_path / arguments[1]))

    assert (status, output) == (2, "")
    assert message in errors
    assert "Traceback" not in errors
