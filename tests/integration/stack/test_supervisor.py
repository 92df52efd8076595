"""The supervisor with small real programs as its parts."""

import asyncio
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.stack.layout import Layout
from services.stack.parts import Command, ListeningPort, Part, minimal_environment
from services.stack.processes import ProcessIdentity
from services.stack.service import require_ok
from services.stack.settings import StackSettings
from services.stack.status import PartStatus, Phase, StackStatus, State, read_status
from services.stack.supervisor import Supervisor
from tests.fixtures.ports import reserved_ports

SERVER = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        print("asked", flush=True)
print("started", time.time(), flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Server(Part):
    """A program that answers 200."""

    def __init__(self, name: str, port: int, *after: str, script: str = SERVER) -> None:
        self.name = name
        self.after = after
        self.ports = [ListeningPort("127.0.0.1", port, "THE_SETTING")]
        self._script = script
        self._port = port

    async def prepare(self) -> Command:
        """Run the script."""
        return Command(
            program=[sys.executable, "-c", self._script, str(self._port)],
            environment=minimal_environment(),
            folder=Path("/"),
        )

    async def probe(self) -> None:
        """Ask it."""
        await require_ok(self._port, "/", 0.5)


class Stack:
    """A supervisor that runs in this process."""

    def __init__(self, layout: Layout, task: "asyncio.Task[bool]") -> None:
        self.layout = layout
        self.task = task

    @property
    def status(self) -> StackStatus:
        """What the supervisor says."""
        status = read_status(self.layout.status)
        assert status is not None
        return status

    def part(self, name: str) -> PartStatus:
        """What the supervisor says about a part."""
        return next(part for part in self.status.parts if part.name == name)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        while not condition():
            assert not self.task.done(), self.status
            await asyncio.sleep(0.02)


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    """Settings under which everything happens soon."""
    return StackSettings(
        state_dir=tmp_path / "state",
        probe_interval_s=0.05,
        probe_timeout_s=1,
        start_timeout_s=20,
        stop_timeout_s=3,
    )


@asynccontextmanager
async def running(settings: StackSettings, *parts: Part) -> AsyncIterator[Stack]:
    """Run a supervisor for the length of a block."""
    layout = Layout(settings.state_dir)
    layout.make()
    task = asyncio.create_task(Supervisor(parts, settings, layout).run())
    await asyncio.sleep(0)
    stack = Stack(layout, task)
    try:
        yield stack
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await task


async def test_parts_start_after_those_they_need(settings: StackSettings) -> None:
    """A part is started once what it needs is healthy, and stopped before it."""
    with reserved_ports(2) as (first, second):
        parts = Server("second", second, "first"), Server("first", first)
        async with running(settings, *parts) as stack:
            await stack.until(lambda: stack.status.phase is Phase.RUNNING)
            started = [
                float(stack.layout.log(name).read_text().split()[1]) for name in ("first", "second")
            ]
            assert started == sorted(started)
            pids = [part.pid for part in stack.status.parts]
        assert stack.status.phase is Phase.STOPPED
        assert not any(ProcessIdentity.of(pid) for pid in pids if pid)


async def test_a_killed_part_comes_back(settings: StackSettings) -> None:
    """The part has a new process and is healthy, and the restart is counted."""
    with reserved_ports(1) as (port,):
        async with running(settings, Server("one", port)) as stack:
            await stack.until(lambda: stack.part("one").state is State.HEALTHY)
            victim = stack.part("one").pid
            assert victim
            os.kill(victim, signal.SIGKILL)
            await stack.until(lambda: stack.part("one").pid not in {victim, None})
            await stack.until(lambda: stack.part("one").state is State.HEALTHY)
            assert stack.part("one").restarts == 1


async def test_a_part_that_hangs_is_reported_and_recovers(settings: StackSettings) -> None:
    """A stopped process is alive and answers nobody."""
    with reserved_ports(1) as (port,):
        async with running(settings, Server("one", port)) as stack:
            await stack.until(lambda: stack.part("one").state is State.HEALTHY)
            pid = stack.part("one").pid
            assert pid
            os.kill(pid, signal.SIGSTOP)
            await stack.until(lambda: stack.part("one").state is State.HUNG)
            os.kill(pid, signal.SIGCONT)
            await stack.until(lambda: stack.part("one").state is State.HEALTHY)
            assert stack.part("one").restarts == 0


async def test_a_part_that_never_starts_takes_everything_down(settings: StackSettings) -> None:
    """Nothing is left half-started, and the culprit is named."""
    with reserved_ports(2) as (good, bad):
        parts = Server("good", good), Server("bad", bad, script="raise SystemExit('broken')")
        async with running(settings, *parts) as stack:
            assert await stack.task is False
        assert stack.status.phase is Phase.FAILED
        assert stack.status.culprit == "bad"
        assert "broken" in stack.layout.log("bad").read_text()
        assert {part.pid for part in stack.status.parts} == {None}


async def test_a_taken_port_is_named_with_its_setting(settings: StackSettings) -> None:
    """The message says which port of which part, and how to move it."""
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        async with running(settings, Server("one", port)) as stack:
            assert await stack.task is False
    assert str(port) in stack.status.failure
    assert "of one" in stack.status.failure
    assert "THE_SETTING" in stack.status.failure


async def test_a_port_that_a_client_has_just_had_is_waited_for(settings: StackSettings) -> None:
    """The kernel hands our ports to clients, too; it takes them back."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        client = socket.create_connection(elsewhere.getsockname())
        port = client.getsockname()[1]
        async with running(settings, Server("one", port)) as stack:
            await stack.until(lambda: str(port) in stack.part("one").detail)
            assert stack.part("one").state is State.WAITING
            # A reset leaves no trace, where an orderly end would hold the port for a minute.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            await stack.until(lambda: stack.part("one").state is State.HEALTHY)


async def test_a_leftover_of_a_killed_supervisor_is_ended_first(settings: StackSettings) -> None:
    """A process that a pid file names is stopped before its successor is started."""
    layout = Layout(settings.state_dir)
    layout.make()
    leftover = await asyncio.create_subprocess_exec("/bin/sleep", "60")
    identity = ProcessIdentity.of(leftover.pid)
    assert identity
    record = {"pid": identity.pid, "start_ticks": identity.start_ticks, "boot_id": identity.boot_id}
    content = json.dumps({"process": record, "stop_signal": int(signal.SIGTERM)})
    layout.pid_file("one").write_text(content)
    with reserved_ports(1) as (port,):
        async with running(settings, Server("one", port)) as stack:
            assert await leftover.wait() == -signal.SIGTERM
            await stack.until(lambda: stack.status.phase is Phase.RUNNING)


async def test_a_recycled_pid_is_never_signalled(settings: StackSettings) -> None:
    """A process that has the number of a leftover, but another start time, is left alone."""
    layout = Layout(settings.state_dir)
    layout.make()
    stranger = await asyncio.create_subprocess_exec("/bin/sleep", "60")
    identity = ProcessIdentity.of(stranger.pid)
    assert identity
    record = {"pid": stranger.pid, "start_ticks": 1, "boot_id": identity.boot_id}
    content = json.dumps({"process": record, "stop_signal": int(signal.SIGTERM)})
    layout.pid_file("one").write_text(content)
    with reserved_ports(1) as (port,):
        async with running(settings, Server("one", port)) as stack:
            await stack.until(lambda: stack.status.phase is Phase.RUNNING)
    assert identity.alive
    stranger.kill()
    await stranger.wait()


async def test_a_part_that_ignores_the_stop_signal_is_killed(settings: StackSettings) -> None:
    """Stopping ends, whatever a part does."""
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVER
    with reserved_ports(1) as (port,):
        async with running(settings, Server("one", port, script=stubborn)) as stack:
            await stack.until(lambda: stack.status.phase is Phase.RUNNING)
            pid = stack.part("one").pid
        assert pid
        assert ProcessIdentity.of(pid) is None


async def test_a_log_that_grows_is_rotated(settings: StackSettings) -> None:
    """The log stays small, and what was in it is kept beside it."""
    small = settings.model_copy(update={"log_size_bytes_max": 65_536})
    chatty = "print('x' * 70_000, flush=True)\n" + SERVER
    with reserved_ports(1) as (port,):
        async with running(small, Server("one", port, script=chatty)) as stack:
            rotated = stack.layout.logs / "one.log.1"
            await stack.until(rotated.exists)
            await stack.until(lambda: stack.status.phase is Phase.RUNNING)
            assert "x" * 70_000 in rotated.read_text()
            assert stack.layout.log("one").stat().st_size < 65_536
