"""How a service is run: `main` for its `__main__`, `serve` for tests."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from services.chassis.application import App, Build, Runtime, S
from services.chassis.lifecycle import Lifecycle, RunningService
from services.chassis.logs import configure_logs, get_logger
from services.chassis.settings import print_settings
from services.chassis.workers import Worker

_EXIT_USAGE = 2

Command: TypeAlias = Callable[[Callable[[], S], Sequence[str]], Coroutine[Any, Any, str]]
"""Something that a service does once, beside the one that runs: given what loads the settings, for
those that need them, and its arguments."""


class CommandFailed(Exception):
    """A command has found or met something that whoever gave it should hear of."""


log = get_logger(__name__)


def main(
    name: str,
    settings_type: type[S],
    build: Build[S],
    *,
    migrations: Path,
    commands: Mapping[str, Command[S]] | None = None,
) -> None:
    """Run a service as its command line and its environment say.

    `python -m services.<name>` serves, `python -m services.<name> settings` prints the settings.

    Args:
        name: the service's name.
        settings_type: its settings.
        build: makes the app.
        migrations: the folder that holds `versions/`.
        commands: what else the command line offers: each returns what there is to print.
    """
    own = commands or {}
    match sys.argv[1:]:
        case ["settings"]:
            print_settings(settings_type)
        case [command, *arguments] if command in own:
            _obey(own[command](lambda: _load(settings_type), arguments))
        case []:
            run(name, _load(settings_type), build, migrations=migrations)
        case _:
            choice = "|".join(["settings", *own])
            sys.stderr.write(f"usage: python -m services.{name} [{choice}]\n")
            sys.exit(_EXIT_USAGE)


def _obey(running: Coroutine[Any, Any, str]) -> None:
    try:
        sys.stdout.write(asyncio.run(running) + "\n")
    except CommandFailed as err:
        sys.stderr.write(f"{err}\n")
        sys.exit(1)


def run(name: str, settings: S, build: Build[S], *, migrations: Path) -> None:
    """Run a service until SIGTERM or SIGINT; `migrations` is the folder that holds `versions/`."""
    configure_logs(name, settings.log_level)
    sys.exit(asyncio.run(_run_until_signal(Lifecycle(name, settings, build, migrations))))


@asynccontextmanager
async def serve(
    name: str,
    settings: S,
    build: Build[S],
    *,
    migrations: Path,
    wait_until_serving: bool = True,
) -> AsyncIterator[RunningService]:
    """Run a service for the length of a block, in the running loop."""
    lifecycle = Lifecycle(name, settings, build, migrations)
    try:
        running = await lifecycle.start()
        if wait_until_serving:
            await running.until_serving()
        yield running
    finally:
        await lifecycle.stop()


async def _run_until_signal(lifecycle: Lifecycle[S]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        running = await lifecycle.start()
        log.info("started", pid=os.getpid(), grpc=running.grpc_port, http=running.http_port)
        stopped = asyncio.create_task(stop.wait())
        failed = asyncio.create_task(_until_failed(running))
        await asyncio.wait([stopped, failed], return_when=asyncio.FIRST_COMPLETED)
        for task in (stopped, failed):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await failed
    except Exception:
        log.exception("service_failed")
        return 1
    finally:
        log.info("stopping")
        await lifecycle.stop()
        log.info("stopped")
    return 0


async def _until_failed(running: RunningService) -> None:
    await running.until_serving()
    # What the service is made of by now stays: looking through it in every full collection would
    # stop all calls for 50 to 100 ms each time.
    gc.collect()
    gc.freeze()
    await running.until_failed()


def _load(settings_type: type[S]) -> S:
    try:
        return settings_type()
    except ValidationError as err:
        prefix = settings_type.env_prefix()
        for error in err.errors(include_url=False, include_input=False):
            name = prefix + "_".join(map(str, error["loc"])).upper() if error["loc"] else prefix
            sys.stderr.write(f"{name}: {error['msg']}\n")
        sys.exit(_EXIT_USAGE)


__all__ = [
    "App",
    "Build",
    "CommandFailed",
    "RunningService",
    "Runtime",
    "Worker",
    "main",
    "run",
    "serve",
]
