"""The whole system on one machine, started and stopped as people do it."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.stack.credentials import load_credentials
from services.stack.processes import ProcessIdentity
from services.stack.status import State
from tests.fixtures.stack import Stack, printed_value, stack_in

pytestmark = pytest.mark.timeout(180)

PARTS = ("postgres", "nats", "auth", "users", "companies", "telemetry", "gateway")


@pytest.fixture
def fresh_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that has never been started."""
    with stack_in(tmp_path / "state") as fresh:
        yield fresh


def get(url: str, context: ssl.SSLContext | None = None) -> int:
    """Return the status of a GET."""
    address = urlsplit(url)
    host, port = address.hostname or "", address.port
    connection = (
        http.client.HTTPSConnection(host, port, timeout=10, context=context)
        if context
        else http.client.HTTPConnection(host, port, timeout=10)
    )
    with closing(connection):
        connection.request("GET", address.path)
        return connection.getresponse().status


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on a port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_up_down_and_up_again(fresh_stack: Stack) -> None:
    """Each command does what it says, twice over, and leaves no process and no port behind."""
    first = fresh_stack.up()
    pids = {part.name: part.pid for part in fresh_stack.status.parts}
    assert tuple(pids) == PARTS
    again = fresh_stack.up()
    assert printed_value(again, "password") == printed_value(first, "password")
    assert {part.name: part.pid for part in fresh_stack.status.parts} == pids
    supervisor = fresh_stack.status.supervisor

    fresh_stack.down()
    assert not supervisor.alive
    assert not any(ProcessIdentity.of(pid) for pid in pids.values() if pid)
    assert not any(is_listening(port) for port in fresh_stack.ports.values())
    assert "not running" in fresh_stack.down()

    third = fresh_stack.up()
    assert printed_value(third, "password") == printed_value(first, "password")


def test_the_printed_addresses_answer(stack: Stack) -> None:
    """What `up` prints is what one can use."""
    printed = stack.up()
    assert get(printed_value(printed, "REST") + "/healthz") == 200
    assert get(printed_value(printed, "metrics")) == 200
    trust = ssl.create_default_context(cafile=str(stack.addresses.authority))
    assert get(printed_value(printed, "TLS") + "/healthz", trust) == 200
    assert Path(printed_value(printed, "logs")).is_dir()
    assert Path(printed_value(printed, "mailbox")).is_dir()
    assert printed_value(printed, "administrator") == stack.addresses.administrator_email


@pytest.mark.parametrize("name", PARTS)
def test_a_killed_part_comes_back(stack: Stack, name: str) -> None:
    """After SIGKILL of any one part the whole is healthy again by itself."""
    restarts = stack.part(name).restarts
    others = {part.name: part.pid for part in stack.status.parts if part.name != name}
    stack.wait_until_back(name, stack.kill(name))
    assert stack.part(name).restarts > restarts
    assert {part.name: part.pid for part in stack.status.parts if part.name != name} == others
    assert get(stack.addresses.rest + "/healthz") == 200


def test_a_hung_part_is_reported(stack: Stack) -> None:
    """A part that is alive but doesn't answer shows in `status`, and `up` fails on it."""
    pid = stack.pid("companies")
    os.kill(pid, signal.SIGSTOP)
    try:
        stack.wait_until_state("companies", State.HUNG)
        shown = stack.run("status")
        assert shown.returncode == 1
        assert "hung" in shown.stdout
        verdict = stack.run("up")
        assert verdict.returncode == 1
        assert "companies" in verdict.stdout
    finally:
        os.kill(pid, signal.SIGCONT)
    stack.wait_until_healthy()
    assert stack.pid("companies") == pid


def test_status_shows_every_part(stack: Stack) -> None:
    """The table has a line per part with its process and its ports."""
    shown = stack.run("status")
    assert shown.returncode == 0
    for name in PARTS:
        line = next(line for line in shown.stdout.splitlines() if line.startswith(name))
        assert str(stack.pid(name)) in line
        assert "healthy" in line
    assert str(stack.ports["gateway_port"]) in shown.stdout


def test_logs_show_a_parts_own_lines(stack: Stack) -> None:
    """`logs` prints the end of one log, or of all of them with their names."""
    assert "database system is ready" in stack.run("logs", "postgres").stdout
    assert "postgres   | " in stack.run("logs").stdout
    unknown = stack.run("logs", "nonsense")
    assert unknown.returncode == 1
    assert "postgres" in unknown.stdout


def test_secrets_are_for_their_owner_alone(stack: Stack) -> None:
    """Files with secrets can't be read by others, and no command line carries one."""
    folder = stack.layout.folder
    assert folder.stat().st_mode & 0o777 == 0o700
    secret_files = [stack.layout.secrets, folder / "tls/gateway.key", folder / "tls/ca.key"]
    for path in [*secret_files, folder / "nats/nats.json"]:
        assert path.stat().st_mode & 0o777 == 0o600
    credentials = json.loads(stack.layout.secrets.read_text())
    words = [credentials["postgres_superuser"], *credentials["databases"].values()]
    words += [credentials["administrator_password"], credentials["encryption_key"]]
    words += [*credentials["nats"].values(), *credentials["services"].values()]
    for part in stack.status.parts:
        command_line = Path(f"/proc/{part.pid}/cmdline").read_text()
        assert not any(word in command_line for word in words)
    for log in stack.layout.logs.iterdir():
        text = log.read_text(errors="replace")
        assert not any(word in text for word in words), log


def test_only_the_gateway_could_be_reached_from_outside(stack: Stack) -> None:
    """Every other port is bound to the loopback address."""
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    tables = [*table, *Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    inner = {f"{port:04X}" for port in stack.ports.values()}
    listeners = [row.split()[1] for row in tables if row.split()[3] == "0A"]
    ours = [address for address in listeners if address.rpartition(":")[2] in inner]
    assert len(ours) >= len(inner)
    # 127.0.0.1, and the same in a socket that could speak IPv6.
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    assert {address.rpartition(":")[0] for address in ours} <= loopback


def test_logs_piped_into_a_program_that_ends_say_nothing(stack: Stack) -> None:
    """`make logs | head` shows lines, not a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as closed:
        finished = subprocess.run(
            [sys.executable, "-m", "services.stack", "logs"],
            env=stack.environment,
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )
    assert finished.stderr == b""


async def test_each_service_has_its_own_database(stack: Stack) -> None:
    """A service's role can't log in to another service's database."""
    password = load_credentials(stack.layout.secrets).databases["users"]
    dsn = f"postgresql://users:{password}@127.0.0.1:{stack.ports['postgres_port']}"
    own = await asyncpg.connect(f"{dsn}/users", ssl=False)
    await own.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(f"{dsn}/auth", ssl=False)


def test_two_ups_at_once_start_one_stack(fresh_stack: Stack) -> None:
    """Both commands succeed and talk of the same processes."""
    both = [fresh_stack.spawn("up") for _ in range(2)]
    outputs = [process.communicate(timeout=150)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert len({printed_value(output, "password") for output in outputs}) == 1
    assert {part.restarts for part in fresh_stack.status.parts} == {0}


def test_a_killed_supervisor_leaves_nothing_that_up_cannot_clear(fresh_stack: Stack) -> None:
    """The parts end with the supervisor, and the next `up` starts afresh."""
    fresh_stack.up()
    pids = [fresh_stack.pid(name) for name in PARTS]
    identities = [ProcessIdentity.of(pid) for pid in pids]
    fresh_stack.status.supervisor.send(signal.SIGKILL)
    for identity in identities:
        assert identity is not None
        assert identity.wait(30)
    assert "not running" in fresh_stack.run("status").stdout
    fresh_stack.up()
    assert not {fresh_stack.pid(name) for name in PARTS} & set(pids)


def test_sigterm_to_the_supervisor_stops_everything(fresh_stack: Stack) -> None:
    """A machine that shuts down ends the stack in order."""
    fresh_stack.up()
    supervisor = fresh_stack.status.supervisor
    supervisor.send(signal.SIGTERM)
    assert supervisor.wait(30)
    assert {part.state for part in fresh_stack.status.parts} == {State.STOPPED}
    assert "database system is shut down" in fresh_stack.layout.log("postgres").read_text()


def test_a_taken_port_is_named_and_nothing_is_left(fresh_stack: Stack) -> None:
    """`up` says how to move the port, shows no older log, and leaves nothing half-started."""
    with socket.create_server(("127.0.0.1", fresh_stack.ports["users_grpc_port"])):
        failed = fresh_stack.run("up")
    assert failed.returncode == 1
    assert str(fresh_stack.ports["users_grpc_port"]) in failed.stdout
    assert "DASHTRACK_STACK_USERS_GRPC_PORT" in failed.stdout
    assert "The end of" not in failed.stdout
    assert not fresh_stack.status.supervisor.alive
    assert not any(is_listening(port) for port in fresh_stack.ports.values())


def test_a_service_that_cannot_start_fails_the_start(fresh_stack: Stack) -> None:
    """`up` prints the guilty part's log and stops what had been started."""
    environment = {**fresh_stack.environment, "DASHTRACK_COMPANIES_NONSENSE": "1"}
    command = [sys.executable, "-m", "services.stack", "up"]
    failed = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=150
    )
    assert failed.returncode == 1
    assert "companies" in failed.stderr
    assert "DASHTRACK_COMPANIES_NONSENSE" in failed.stderr
    assert not any(is_listening(port) for port in fresh_stack.ports.values())


def test_up_works_from_any_folder(fresh_stack: Stack, tmp_path: Path) -> None:
    """The command depends on no working folder, and a relative state folder stays where it was."""
    command = [sys.executable, "-m", "services.stack", "up"]
    environment = {**fresh_stack.environment, "DASHTRACK_STACK_STATE_DIR": "state"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert fresh_stack.status.healthy


def test_a_client_that_never_hangs_up_does_not_keep_the_stack_from_stopping(
    fresh_stack: Stack,
) -> None:
    """The gateway waits for running requests, but not for ever."""
    fresh_stack.up()
    with socket.create_connection(("127.0.0.1", fresh_stack.ports["gateway_port"])) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        fresh_stack.down()
    assert {part.state for part in fresh_stack.status.parts} == {State.STOPPED}
