"""Processes are known by when they started, not by their number alone."""

import dataclasses
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.stack.processes import (
    ProcessIdentity,
    end_leftovers,
    processes_in,
    write_pid_file,
)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that does nothing for a while, in a folder of its own."""
    folder = tmp_path / "home of (a sleeper)"
    folder.mkdir()
    with subprocess.Popen(["/bin/sleep", "60"], cwd=folder) as process:
        yield process
        process.kill()


def identify(pid: int) -> ProcessIdentity:
    """Identify a process that is known to run."""
    identity = ProcessIdentity.of(pid)
    assert identity is not None
    return identity


def test_a_process_is_itself() -> None:
    """The identity of a running process is stable."""
    assert ProcessIdentity.of(os.getpid()) == ProcessIdentity.of(os.getpid())
    assert identify(os.getpid()).alive


def test_a_number_that_nobody_has_is_no_process() -> None:
    """A pid beyond the kernel's limit is nobody's."""
    assert ProcessIdentity.of(2**22 + 1) is None


def test_a_zombie_is_dead(sleeper: "subprocess.Popen[bytes]") -> None:
    """A process that waits to be reaped doesn't run any more."""
    identity = identify(sleeper.pid)
    sleeper.kill()
    assert identity.wait(10)
    assert not identity.alive


def test_another_process_of_the_same_number_is_not_signalled(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    """A recycled pid is recognised by its start time, and by the boot it belongs to."""
    identity = identify(sleeper.pid)
    for other in (
        dataclasses.replace(identity, start_ticks=identity.start_ticks - 1),
        dataclasses.replace(identity, boot_id="another"),
    ):
        assert not other.alive
        assert not other.send(signal.SIGKILL)
    assert identity.alive


def test_leftovers_are_ended_with_their_own_signal(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]"
) -> None:
    """A pid file names the process and how to stop it; the file goes with it."""
    write_pid_file(tmp_path / "one.json", identify(sleeper.pid), signal.SIGINT)
    end_leftovers(tmp_path, 5)
    assert sleeper.wait() == -signal.SIGINT
    assert not list(tmp_path.glob("*.json"))


def test_a_broken_pid_file_names_nobody(tmp_path: Path) -> None:
    """What can't be read is dropped, and nothing is signalled."""
    (tmp_path / "one.json").write_text('{"process": {"pid": 1')
    end_leftovers(tmp_path, 5)
    assert not list(tmp_path.glob("*.json"))


def test_processes_are_found_by_their_folder(sleeper: "subprocess.Popen[bytes]") -> None:
    """Whoever works in a folder is found there, and nobody else is."""
    folder = Path(f"/proc/{sleeper.pid}/cwd").readlink()
    assert [process.pid for process in processes_in(folder)] == [sleeper.pid]
    assert list(processes_in(folder / "deeper")) == []
