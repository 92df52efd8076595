"""One part under supervision: started, probed, started again when it dies, stopped."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from services.stack.layout import Layout
from services.stack.parts import Command, Part
from services.stack.processes import ProcessIdentity, write_pid_file
from services.stack.settings import StackSettings
from services.stack.status import PartStatus, State

_START_POLL_S = 0.05
_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 5.0
_STEADY_S = 30.0
_FIRST_START_TRIES = 3

log = logging.getLogger(__name__)


class StartFailed(Exception):
    """A part that has never worked doesn't start."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part} does not start: {reason}")
        self.part = part


class SupervisedPart:
    """Keeps one part running."""

    def __init__(
        self, part: Part, settings: StackSettings, layout: Layout, changed: Callable[[], None]
    ) -> None:
        self.part = part
        self.status = PartStatus(name=part.name, ports=[port.number for port in part.ports])
        self.healthy_once = asyncio.Event()
        self._settings = settings
        self._layout = layout
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def run(self) -> None:
        """Keep the part running until it is cancelled.

        Raises:
            StartFailed: it didn't come up the first time.
        """
        backoff_s = _BACKOFF_FIRST_S
        deaths = 0
        while True:
            began_s = time.monotonic()
            reason = await self._live_once()
            lived_s = time.monotonic() - began_s
            deaths += 1
            if not self.healthy_once.is_set() and deaths >= _FIRST_START_TRIES:
                raise StartFailed(self.part.name, reason)
            backoff_s = _BACKOFF_FIRST_S if lived_s > _STEADY_S else backoff_s
            log.warning("%s: %s; again in %.1f s", self.part.name, reason, backoff_s)
            self.status.restarts += 1
            self._set(State.RESTARTING, reason, pid=None)
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, _BACKOFF_MAX_S)

    async def stop(self) -> None:
        """Let the part end its work, then end it; `run` must have been cancelled."""
        process = self._process
        if process is not None and process.returncode is None:
            self._set(State.STOPPING)
            with contextlib.suppress(Exception):
                # A part that can't drain any more has nothing left to drain.
                async with asyncio.timeout(self._settings.drain_timeout_s + 2):
                    await self.part.drain()
            await self._end(process)
        self._layout.pid_file(self.part.name).unlink(missing_ok=True)
        self._set(State.STOPPED, pid=None)

    async def _live_once(self) -> str:
        """Start the part and watch it until it is dead; return what it died of."""
        began_s = time.monotonic()
        self._set(State.STARTING)
        try:
            process = await self._spawn(await self.part.prepare())
        except Exception as err:
            log.debug("%s can't be started", self.part.name, exc_info=True)
            return f"{type(err).__name__}: {err}"
        death = asyncio.ensure_future(process.wait())
        try:
            await self._watch(death, began_s)
        finally:
            death.cancel()
        return f"ended with {process.returncode}"

    async def _spawn(self, command: Command) -> asyncio.subprocess.Process:
        log_file = self._layout.log(self.part.name)
        log_file.touch(mode=0o600)
        with log_file.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command.arguments(),
                env=command.environment,
                cwd=command.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._process = process
        identity = ProcessIdentity.of(process.pid)
        if identity:
            # Without the file, on a full disk, the kernel still ends the part with us.
            with contextlib.suppress(OSError):
                write_pid_file(
                    self._layout.pid_file(self.part.name), identity, self.part.stop_signal
                )
        self._set(State.STARTING, pid=process.pid)
        return process

    async def _watch(self, death: "asyncio.Future[int]", began_s: float) -> None:
        settled = False
        while not death.done():
            try:
                async with asyncio.timeout(self._settings.probe_timeout_s):
                    await self.part.probe()
                if not settled:
                    async with asyncio.timeout(self._settings.start_timeout_s):
                        await self.part.settle()
                    settled = True
                    self.status.start_s = round(time.monotonic() - began_s, 2)
            except TimeoutError:
                self._report(State.HUNG, "alive, but does not answer", began_s, settled=settled)
            except Exception as err:  # noqa: BLE001 - whatever a probe raises is its verdict
                detail = f"{type(err).__name__}: {err}"
                self._report(State.UNHEALTHY, detail, began_s, settled=settled)
            else:
                self._set(State.HEALTHY)
                self.healthy_once.set()
            pause_s = self._settings.probe_interval_s if settled else _START_POLL_S
            await asyncio.wait([death], timeout=pause_s)

    def _report(self, state: State, detail: str, began_s: float, *, settled: bool) -> None:
        late = time.monotonic() - began_s > self._settings.start_timeout_s
        if settled or late:
            if late and not self.healthy_once.is_set():
                raise StartFailed(self.part.name, detail)
            self._set(state, detail)
        else:
            self._set(State.STARTING, detail)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self.part.stop_signal)
        try:
            async with asyncio.timeout(self._settings.stop_timeout_s):
                await process.wait()
        except TimeoutError:
            log.warning("%s does not stop and is killed", self.part.name)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _set(self, state: State, detail: str = "", **changes: int | None) -> None:
        status = self.status
        before = (status.state, status.pid, status.detail)
        status.state, status.detail = state, detail
        if "pid" in changes:
            status.pid = changes["pid"]
        if before != (status.state, status.pid, status.detail):
            if before[0] != state:
                log.info("%s: %s %s", self.part.name, state, detail)
            self._changed()
