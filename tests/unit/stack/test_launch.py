"""A child is tied to its parent, and loses root where it is told to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.stack.isolation import DIRECT, Isolation, unprivileged_isolation
from services.stack.parts import Command, minimal_environment
from services.stack.processes import ProcessIdentity

PARENT = """
import subprocess, sys, time
from pathlib import Path
from services.stack.parts import Command, minimal_environment
command = Command(program=["/bin/sleep", "60"], environment={}, folder=Path("/"))
child = subprocess.Popen(command.arguments())
while Path(f"/proc/{child.pid}/comm").read_text() != "sleep\\n":
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_child_does_not_outlive_a_killed_parent() -> None:
    """The kernel ends the child when its parent is killed."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = ProcessIdentity.of(int(parent.stdout.readline()))
        assert child
        parent.kill()
        assert child.wait(20)


def test_a_child_whose_parent_is_gone_already_does_not_start(tmp_path: Path) -> None:
    """A parent may die between fork and exec."""
    program = ["/bin/touch", str(tmp_path / "started")]
    arguments = Command(program=program, environment={}, folder=tmp_path).arguments()
    parent_position = arguments.index(str(os.getpid()))
    arguments[parent_position] = "1000000000"
    assert subprocess.run(arguments, check=False, capture_output=True).returncode != 0
    assert not (tmp_path / "started").exists()


def test_a_program_that_refuses_root_is_not_run_by_root(tmp_path: Path) -> None:
    """Whoever we are, the child is an ordinary user who reaches a folder closed to others."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    isolation = unprivileged_isolation()
    os.chown(closed, isolation.owner_uid, isolation.owner_gid)
    script = "import os, pathlib; pathlib.Path('made').touch(); print(os.geteuid())"
    command = Command(
        program=[sys.executable, "-I", "-S", "-c", script],
        environment=minimal_environment(),
        folder=closed,
        isolation=isolation,
    )
    output = subprocess.run(
        command.arguments(), cwd=closed, check=True, capture_output=True, text=True
    ).stdout
    assert int(output) != 0
    assert (closed / "made").exists()


def isolations() -> list[Isolation]:
    """List the ways in which this user can run a child."""
    if os.geteuid() != 0:
        return [DIRECT]
    chosen = unprivileged_isolation()
    return [DIRECT, chosen, Isolation("user", chosen.uid, chosen.gid)]


@pytest.mark.parametrize("isolation", isolations(), ids=lambda isolation: isolation.mode)
def test_the_death_signal_is_the_one_that_was_asked_for(isolation: Isolation) -> None:
    """PostgreSQL takes SIGINT for a fast shutdown; a change of identity doesn't lose it."""
    # 2 is PR_GET_PDEATHSIG.
    ask = "n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)"
    command = Command(
        program=[sys.executable, "-I", "-S", "-c", f"import ctypes; {ask}"],
        environment={},
        folder=Path("/"),
        isolation=isolation,
        death_signal=signal.SIGINT,
    )
    output = subprocess.run(command.arguments(), check=True, capture_output=True, text=True).stdout
    assert int(output) == signal.SIGINT
