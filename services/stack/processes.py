"""Processes by identity, not by number: a recycled pid is never taken for the process it was."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_STATE_FIELD = 0
_START_FIELD = 19  # counted from the field after the name, which may hold spaces itself


@cache
def _boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process in the life of this machine."""

    pid: int
    start_ticks: int
    boot_id: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Identify a running process; None if there is none of that number."""
        fields = _stat_fields(pid)
        if fields is None or fields[_STATE_FIELD] in {"Z", "X"}:
            return None
        return cls(pid, int(fields[_START_FIELD]), _boot_id())

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessIdentity.of(self.pid) == self

    def send(self, signal_: signal.Signals) -> bool:
        """Signal this very process; False if it is gone."""
        try:
            # The file descriptor pins the process: the number can't be recycled in between.
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if not self.alive:
                return False
            signal.pidfd_send_signal(descriptor, signal_)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True

    def wait(self, timeout_s: float) -> bool:
        """Wait until this process is gone; False if it isn't in time."""
        deadline_s = time.monotonic() + timeout_s
        while self.alive:
            if time.monotonic() > deadline_s:
                return False
            time.sleep(0.02)
        return True


def _stat_fields(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def write_pid_file(path: Path, process: ProcessIdentity, stop_signal: signal.Signals) -> None:
    """Store an identity, and how to end the process, for a later run to find."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"process": asdict(process), "stop_signal": int(stop_signal)}))
    fresh.replace(path)


def end_leftovers(folder: Path, grace_s: float) -> None:
    """End the processes that pid files in a folder name, all at once, and drop the files."""
    leftovers = [entry for entry in map(_read_pid_file, folder.glob("*.json")) if entry]
    for process, stop_signal in leftovers:
        process.send(stop_signal)
    deadline_s = time.monotonic() + grace_s
    for process, _ in leftovers:
        if not process.wait(max(0.0, deadline_s - time.monotonic())):
            process.send(signal.SIGKILL)
            process.wait(grace_s)
    for path in folder.glob("*.json"):
        path.unlink()


def _read_pid_file(path: Path) -> tuple[ProcessIdentity, signal.Signals] | None:
    try:
        stored = json.loads(path.read_text())
        return ProcessIdentity(**stored["process"]), signal.Signals(stored["stop_signal"])
    except (KeyError, TypeError, ValueError):
        # A half-written file names no process that we could be sure of.
        return None


def processes_in(folder: Path) -> Iterator[ProcessIdentity]:
    """Find the processes whose working directory is a folder."""
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        # Processes end while we look, and others' are none of our business.
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                process = ProcessIdentity.of(int(entry.name))
                if process:
                    yield process
