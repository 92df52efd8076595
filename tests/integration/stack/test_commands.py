"""The commands where no stack runs."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "services.stack"]


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """Variables that name a state folder in which nothing runs."""
    return {**os.environ, "DASHTRACK_STACK_STATE_DIR": str(tmp_path / "state")}


def run(environment: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_down_of_nothing_is_fine(environment: Mapping[str, str], tmp_path: Path) -> None:
    """It says so, and makes no folders."""
    finished = run(environment, "down")
    assert finished.returncode == 0
    assert "not running" in finished.stdout
    assert not (tmp_path / "state").exists()


def test_status_of_nothing_says_so(environment: Mapping[str, str]) -> None:
    """Scripts see it by the exit code."""
    finished = run(environment, "status")
    assert finished.returncode == 1
    assert "not running" in finished.stdout


def test_a_mistyped_setting_is_named(environment: Mapping[str, str]) -> None:
    """No traceback, the variable's name, and an exit code of its own."""
    finished = run({**environment, "DASHTRACK_STACK_PORT_OFSET": "1"}, "status")
    assert finished.returncode == 2
    assert "DASHTRACK_STACK_PORT_OFSET" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_logs_are_followed_until_interrupted(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    """What a part writes while one watches is shown, also after a rotation."""
    log = tmp_path / "state" / "logs" / "users.log"
    log.parent.mkdir(parents=True)
    log.write_text("before\n")
    command = [*COMMAND, "logs", "users", "--follow"]
    unbuffered = {**environment, "PYTHONUNBUFFERED": "1"}
    follower = subprocess.Popen(command, env=unbuffered, stdout=subprocess.PIPE, text=True)
    try:
        assert follower.stdout
        assert follower.stdout.readline() == "before\n"
        with log.open("a") as writer:
            writer.write("a longer line after\n")
        assert follower.stdout.readline() == "a longer line after\n"
        log.write_text("short\n")
        assert follower.stdout.readline() == "short\n"
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 0
    finally:
        follower.kill()
        follower.communicate()
