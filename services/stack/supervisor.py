"""The process that every part is a child of: starts them, keeps them alive, stops them.

The parts end with the supervisor, even if it is killed: the kernel sends each its stop signal.
Whatever is left all the same is found by the next `up` or `down` through its pid file.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from services.stack import logs
from services.stack.layout import Layout
from services.stack.parts import ListeningPort, Part
from services.stack.port_check import PortTaken, require_free_ports
from services.stack.processes import ProcessIdentity, end_leftovers
from services.stack.settings import StackSettings
from services.stack.status import Phase, StackStatus
from services.stack.supervised import StartFailed, SupervisedPart

ALREADY_RUNNING = 3
"""Exit code of a supervisor that finds another at work in its state folder."""

SUPERVISOR = "supervisor"
"""Whose log the supervisor's own is, beside those of the parts."""

log = logging.getLogger(__name__)


@contextmanager
def exclusive_lock(layout: Layout) -> Iterator[bool]:
    """Hold the state folder for the length of a block; yields False if another does."""
    with layout.lock.open("a") as file:
        try:
            # Not inherited by children: the lock ends with this very process.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


class Supervisor:
    """Runs the parts until told to stop."""

    def __init__(self, parts: Sequence[Part], settings: StackSettings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout
        self._parts = {
            part.name: SupervisedPart(part, settings, layout, self._write_status) for part in parts
        }
        self._stop = asyncio.Event()
        identity = ProcessIdentity.of(os.getpid())
        if identity is None:
            raise RuntimeError("/proc does not show this process")
        self._status = StackStatus(
            supervisor=identity,
            ports=settings.ports(),
            administrator_email=settings.bootstrap_email,
            parts=[supervised.status for supervised in self._parts.values()],
        )

    async def run(self) -> bool:
        """Run until SIGTERM or SIGINT; False if the parts could not be started."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._write_status()
        tasks: list[asyncio.Task[None]] = []
        try:
            await asyncio.to_thread(end_leftovers, self._layout.run, self._settings.stop_timeout_s)
            await require_free_ports([part.part for part in self._parts.values()], self._await_port)
            tasks = [
                *(asyncio.create_task(self._run_part(part)) for part in self._parts.values()),
                asyncio.create_task(self._announce()),
                asyncio.create_task(self._housekeep()),
                asyncio.create_task(self._wait_for_stop()),
            ]
            # Only a request to stop ends one of them without an error.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        except PortTaken as err:
            self._fail(str(err))
        except StartFailed as err:
            self._fail(str(err), err.part)
        except Exception as err:
            log.exception("the stack can't go on")
            self._fail(str(err) or type(err).__name__, SUPERVISOR)
        await self._shut_down(tasks)
        return not self._status.failure

    def _await_port(self, part: Part, port: ListeningPort) -> None:
        detail = f"port {port.number} is held by a closed connection, for a minute at most"
        self._parts[part.name].status.detail = detail
        self._write_status()

    def _fail(self, reason: str, culprit: str = "") -> None:
        log.error("%s", reason)
        self._status.failure, self._status.culprit = reason, culprit

    async def _run_part(self, supervised: SupervisedPart) -> None:
        for name in supervised.part.after:
            await self._parts[name].healthy_once.wait()
        await supervised.run()

    async def _announce(self) -> None:
        for supervised in self._parts.values():
            await supervised.healthy_once.wait()
        self._set_phase(Phase.RUNNING)
        await asyncio.Event().wait()

    async def _housekeep(self) -> None:
        names = [*self._parts, SUPERVISOR]
        while True:
            for name in names:
                self._rotate_log(name)
            # The time in the file is our sign of life.
            self._write_status()
            await asyncio.sleep(self._settings.probe_interval_s)

    def _rotate_log(self, name: str) -> None:
        # A full disk must not end the parts along with our housekeeping.
        with contextlib.suppress(OSError):
            logs.rotate(
                self._layout.log(name),
                self._settings.log_size_bytes_max,
                self._settings.log_files_kept,
            )

    async def _wait_for_stop(self) -> None:
        await self._stop.wait()

    async def _shut_down(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        self._set_phase(Phase.STOPPING)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        stopped = {name: asyncio.Event() for name in self._parts}

        async def stop(name: str, supervised: SupervisedPart) -> None:
            # Whoever needs this part goes first.
            for other, dependant in self._parts.items():
                if name in dependant.part.after:
                    await stopped[other].wait()
            try:
                await supervised.stop()
            finally:
                stopped[name].set()

        await asyncio.gather(*(stop(name, part) for name, part in self._parts.items()))
        self._set_phase(Phase.FAILED if self._status.failure else Phase.STOPPED)

    def _set_phase(self, phase: Phase) -> None:
        log.info("%s", phase)
        self._status.phase = phase
        self._write_status()

    def _write_status(self) -> None:
        with contextlib.suppress(OSError):
            self._status.write(self._layout.status)
