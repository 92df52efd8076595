"""`up` and `down`: start and stop the detached supervisor, and tell what becomes of it."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from services.stack import logs
from services.stack.addresses import describe, read_addresses
from services.stack.layout import Layout
from services.stack.processes import ProcessIdentity, end_leftovers
from services.stack.progress import Progress
from services.stack.service import GATEWAY_HEALTH, answers_ok
from services.stack.settings import PREFIX, ROOT, StackSettings
from services.stack.status import Phase, StackStatus, State, read_status
from services.stack.supervisor import ALREADY_RUNNING, SUPERVISOR, exclusive_lock

_POLL_S = 0.05
_TAIL_LINES = 30


class UpFailed(Exception):
    """The stack did not come up; `part` is whose log says more, or empty."""

    def __init__(self, reason: str, part: str = "") -> None:
        super().__init__(reason)
        self.part = part


def up(settings: StackSettings) -> int:
    """Make the whole stack run; returns the exit code."""
    layout = Layout(settings.state_dir)
    layout.make()
    began_s = time.monotonic()
    progress = Progress(sys.stderr)
    try:
        _ensure_running(settings, layout, progress)
    except UpFailed as err:
        progress.end()
        print(f"DashTrack is not up: {err}", file=sys.stderr)
        if err.part:
            _show_log(layout.log(err.part))
        return 1
    except KeyboardInterrupt:
        progress.end()
        print("DashTrack goes on starting; `make status` shows how, `make down` ends it.")
        return 130
    progress.end()
    print(f"DashTrack is up ({time.monotonic() - began_s:.1f} s).")
    print(describe(read_addresses(settings)))
    return 0


def _show_log(log: Path) -> None:
    lines = logs.tail(log, _TAIL_LINES)
    if lines:
        print(f"The end of {log}:", file=sys.stderr)
        print("\n".join(f"  {line}" for line in lines), file=sys.stderr)


def down(settings: StackSettings) -> int:
    """Stop whatever of the stack runs; returns the exit code."""
    layout = Layout(settings.state_dir)
    if not layout.folder.exists():
        print("DashTrack was not running.")
        return 0
    layout.make()
    status = read_status(layout.status)
    was_running = status is not None and status.supervisor.alive
    if status is not None and was_running:
        _stop_supervisor(status.supervisor, settings)
    with exclusive_lock(layout) as ours:
        if not ours:
            print("DashTrack is being started by somebody else.", file=sys.stderr)
            return 1
        # A killed supervisor leaves its parts to end by themselves: make sure that they have.
        end_leftovers(layout.run, settings.stop_timeout_s)
    print("DashTrack is down." if was_running else "DashTrack was not running.")
    return 0


def _stop_supervisor(supervisor: ProcessIdentity, settings: StackSettings) -> None:
    supervisor.send(signal.SIGTERM)
    # Three ranks of parts stop one after another: gateway, services, stores.
    patience_s = 3 * (settings.stop_timeout_s + settings.drain_timeout_s) + 5
    if not supervisor.wait(patience_s):
        print("The supervisor does not stop and is killed.", file=sys.stderr)
        supervisor.send(signal.SIGKILL)
        supervisor.wait(settings.stop_timeout_s)


def _ensure_running(settings: StackSettings, layout: Layout, progress: Progress) -> None:
    status = read_status(layout.status)
    if status is not None and status.supervisor.alive:
        if status.phase in {Phase.STOPPING, Phase.STOPPED, Phase.FAILED}:
            status.supervisor.wait(settings.start_timeout_s)
        else:
            _refuse_other_ports(status, settings)
            _follow(settings, layout, progress, status.supervisor)
            return
    child = _spawn_supervisor(settings, layout)
    _follow(settings, layout, progress, _find_supervisor(settings, layout, child))


def _refuse_other_ports(status: StackStatus, settings: StackSettings) -> None:
    moved = [name for name, port in settings.ports().items() if status.ports.get(name) != port]
    if moved:
        raise UpFailed(
            f"it runs with other ports already ({', '.join(moved)}); `make down` comes first"
        )


def _spawn_supervisor(settings: StackSettings, layout: Layout) -> "subprocess.Popen[bytes]":
    log = layout.log(SUPERVISOR)
    log.touch(mode=0o600)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "services.stack.supervise"],
            cwd=ROOT,
            env={**os.environ, f"{PREFIX}STATE_DIR": str(settings.state_dir)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # It outlives the terminal, and an interrupt typed there is none of its business.
            start_new_session=True,
        )


def _find_supervisor(
    settings: StackSettings, layout: Layout, child: "subprocess.Popen[bytes]"
) -> ProcessIdentity:
    """Wait until a supervisor reports: ours, or that of another `up` which was faster."""
    deadline_s = time.monotonic() + settings.start_timeout_s
    while time.monotonic() < deadline_s:
        exit_code = child.poll()
        status = read_status(layout.status)
        if status is not None and status.supervisor.alive:
            return status.supervisor
        if status is not None and status.supervisor.pid == child.pid:
            return status.supervisor
        if exit_code not in {None, ALREADY_RUNNING}:
            raise UpFailed(f"the supervisor ended with {exit_code}", SUPERVISOR)
        time.sleep(_POLL_S)
    raise UpFailed("the supervisor does not report", SUPERVISOR)


def _follow(
    settings: StackSettings, layout: Layout, progress: Progress, supervisor: ProcessIdentity
) -> None:
    """Wait until a supervisor reports health or failure."""
    deadline_s = math.inf
    while True:
        # In this order: a supervisor writes its last status before it ends.
        alive = supervisor.alive
        status = read_status(layout.status)
        if status is not None and status.supervisor == supervisor:
            progress.show(status)
            if status.phase is Phase.RUNNING:
                if _is_usable(status, settings):
                    return
                deadline_s = min(deadline_s, time.monotonic() + settings.start_timeout_s)
                if time.monotonic() > deadline_s:
                    raise _unhealthy(status)
            if status.phase is Phase.FAILED and not alive:
                raise UpFailed(status.failure, status.culprit)
        if not alive:
            raise UpFailed("the supervisor was stopped")
        time.sleep(_POLL_S)


def _is_usable(status: StackStatus, settings: StackSettings) -> bool:
    """Whether a running stack serves people right now.

    Raises:
        UpFailed: it doesn't, and waiting won't help.
    """
    if not status.fresh(settings.silence_s):
        raise UpFailed("the supervisor does not respond; `make down` ends it", SUPERVISOR)
    for part in status.parts:
        if part.state is State.HUNG:
            raise _unhealthy(status)
    # The supervisor's knowledge is as old as its last probes: the gateway has the last word.
    return status.healthy and answers_ok(
        status.ports["gateway_port"], GATEWAY_HEALTH, settings.probe_timeout_s
    )


def _unhealthy(status: StackStatus) -> UpFailed:
    ill = [part for part in status.parts if part.state is not State.HEALTHY]
    if not ill:
        return UpFailed("the gateway reaches some service no more", "gateway")
    reasons = (f"{part.name} is {part.state}: {part.detail}" for part in ill)
    return UpFailed("; ".join(reasons), ill[0].name)
