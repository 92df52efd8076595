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


def write_pid_file(path: Path, process: ProcessIdentity) -> None:
    """Store an identity for a later run to find."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(process)))
    fresh.replace(path)


def read_pid_file(path: Path) -> ProcessIdentity | None:
    """Return the process that a file names, if it still runs."""
    try:
        process = ProcessIdentity(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return process if process.alive else None


def end_process(process: ProcessIdentity, signal_: signal.Signals, grace_s: float) -> None:
    """Stop a process: ask, wait, then kill."""
    if process.send(signal_) and not process.wait(grace_s):
        process.send(signal.SIGKILL)
        process.wait(grace_s)


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
