"""PostgreSQL as the stack runs it: durable, locked down, and back after a crash."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from services.stack.credentials import new_password
from services.stack.isolation import DIRECT, Isolation, unprivileged_isolation
from services.stack.postgres import DatabaseAccount, Postgres, PostgresOptions
from tests.fixtures.ports import reserved_ports
from tests.fixtures.postgres import FreshDatabase, PostgresServer
from tests.fixtures.running import RunningPart, run_async


async def ask(dsn: str, query: str) -> object:
    """Run one query on a connection of its own."""
    connection = await asyncpg.connect(dsn, ssl=False)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.fixture
async def database(
    durable_postgres_server: PostgresServer,
) -> AsyncIterator[FreshDatabase]:
    """A database in the durable cluster."""
    made = durable_postgres_server.create_database("durable")
    yield made
    durable_postgres_server.drop_database(made)


async def test_what_is_acknowledged_is_on_disk(database: FreshDatabase) -> None:
    """The settings that durability rests on are in force."""
    for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert await ask(database.dsn, f"show {name}") == "on"


async def test_only_loopback_over_tcp_is_served(postgres_server: PostgresServer) -> None:
    """The server has no socket file and no address but the loopback one."""
    assert await ask_as_superuser(postgres_server, "show listen_addresses") == "127.0.0.1"
    assert await ask_as_superuser(postgres_server, "show unix_socket_directories") == ""


async def test_a_wrong_password_is_refused(database: FreshDatabase) -> None:
    """Nobody gets in without the generated password."""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(database.dsn.replace(database.password, "guess"), "select 1")


async def test_a_service_cannot_reach_another_services_database(
    fresh_database: Callable[[str], FreshDatabase],
) -> None:
    """A role connects to its own database alone."""
    users, auth = fresh_database("users"), fresh_database("auth")
    foreign = users.dsn.removesuffix(users.name) + auth.name
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ask(foreign, "select 1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ask(users.dsn.removesuffix(users.name) + "postgres", "select 1")
    assert await ask(users.dsn, "select current_user::text") == users.name


async def test_a_killed_server_comes_back_with_what_was_committed(
    durable_postgres_server: PostgresServer, database: FreshDatabase
) -> None:
    """The postmaster is killed while a child is busy; its successor waits and recovers."""
    await ask(database.dsn, "create table kept as select 1 as value")
    busy = asyncio.ensure_future(ask(database.dsn, "select pg_sleep(30)"))
    await asyncio.sleep(0.2)
    await asyncio.to_thread(durable_postgres_server.kill)
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await busy
    durable_postgres_server.start()
    assert await ask(database.dsn, "select value from kept") == 1


async def test_a_lock_file_that_names_a_strangers_process_is_no_obstacle(
    durable_postgres_server: PostgresServer, database: FreshDatabase
) -> None:
    """After a power failure the number in the lock file may belong to any process."""
    data = Path(str(await ask_as_superuser(durable_postgres_server, "show data_directory")))
    durable_postgres_server.stop()
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n")
    durable_postgres_server.start()
    assert await ask(database.dsn, "select 1") == 1


async def ask_as_superuser(server: PostgresServer, query: str) -> object:
    """Ask what ordinary roles may not know."""
    connection = await server.connect_as_superuser()
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def isolations() -> list[Isolation]:
    """List the ways in which this user can run PostgreSQL."""
    if os.geteuid() != 0:
        return [DIRECT]
    chosen = unprivileged_isolation()
    return [chosen, Isolation("user", chosen.uid, chosen.gid)]


@pytest.mark.parametrize("isolation", isolations(), ids=lambda isolation: isolation.mode)
def test_a_cluster_runs_in_a_folder_that_is_closed_to_others(
    tmp_path: Path, isolation: Isolation
) -> None:
    """The server starts under a mode-700 home, and under a folder it has never seen."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with reserved_ports(1) as (port,):
        account = DatabaseAccount(name="users", password=new_password())
        options = PostgresOptions(
            port=port,
            port_setting="",
            superuser_password=new_password(),
            shared_buffers_mb=16,
            accounts=[account],
            isolation=isolation,
        )
        server = Postgres(home / ("deep/" * 20) / "cluster", options)
        running = RunningPart(server, tmp_path / "log")
        running.start()
        try:
            dsn = server.url(account, "postgresql")
            assert run_async(ask(dsn, "select current_user::text")) == "users"
        finally:
            running.stop()
        assert stat_mode(home) == 0o700


def stat_mode(path: Path) -> int:
    """Return the permission bits of a path."""
    return path.stat().st_mode & 0o777


def test_a_cluster_changes_hands_between_isolations(tmp_path: Path) -> None:
    """A cluster made by one user is run by the next."""
    with reserved_ports(1) as (port,):
        password = new_password()
        for isolation in isolations() * 2:
            options = PostgresOptions(
                port=port, port_setting="", superuser_password=password, isolation=isolation
            )
            running = RunningPart(Postgres(tmp_path / "cluster", options), tmp_path / "log")
            running.start()
            running.stop()


def test_the_server_stops_in_order_when_its_parent_is_gone(
    durable_postgres_server: PostgresServer, database: FreshDatabase
) -> None:
    """The signal that the kernel sends for a dead parent is the one for a fast shutdown."""
    os.kill(durable_postgres_server.pid, signal.SIGINT)
    durable_postgres_server.wait()
    durable_postgres_server.start()
    assert run_async(ask(database.dsn, "select 1")) == 1
