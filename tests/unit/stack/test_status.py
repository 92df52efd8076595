"""The status file is what the commands know about a running stack."""

import io
import os
from pathlib import Path

from services.stack.processes import ProcessIdentity
from services.stack.progress import Progress
from services.stack.status import (
    PartStatus,
    Phase,
    StackStatus,
    State,
    read_status,
    status_table,
)


class Terminal(io.StringIO):
    """An output that a person looks at."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def make_status() -> StackStatus:
    """Make a status with a healthy part and one that hangs."""
    identity = ProcessIdentity.of(os.getpid())
    assert identity
    parts = [
        PartStatus(name="postgres", ports=[54320], state=State.HEALTHY, pid=12, start_s=0.5),
        PartStatus(name="users", ports=[1, 2], state=State.HUNG, restarts=3, detail="silent"),
    ]
    return StackStatus(supervisor=identity, phase=Phase.RUNNING, parts=parts, ports={"a": 1})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A status survives the file as it was."""
    status = make_status()
    status.write(tmp_path / "status.json")
    assert read_status(tmp_path / "status.json") == status


def test_a_missing_or_broken_file_is_no_status(tmp_path: Path) -> None:
    """Files of another version or half of a file are as good as none."""
    path = tmp_path / "status.json"
    assert read_status(path) is None
    for content in ("", "{", "[]", '{"parts": [{"state": "dancing"}]}', '{"parts": []}'):
        path.write_text(content)
        assert read_status(path) is None


def test_the_table_has_a_line_per_part() -> None:
    """Columns are aligned, and what is unknown is a dash."""
    assert status_table(make_status()).splitlines() == [
        "part      state    pid  restarts  ports",
        "postgres  healthy  12   0         54320",
        "users     hung     -    3         1, 2   silent",
    ]


def test_one_part_that_hangs_makes_the_whole_unhealthy() -> None:
    """Healthy means every part."""
    status = make_status()
    assert not status.healthy
    status.parts = status.parts[:1]
    assert status.healthy


def test_progress_tells_a_person_each_part_once() -> None:
    """A healthy part gets its line with seconds; who is awaited is named."""
    out = Terminal()
    progress = Progress(out)
    for _ in range(2):
        progress.show(make_status())
    progress.end()
    assert out.getvalue().count("postgres") == 1
    assert "0.5 s" in out.getvalue()
    assert "waiting for users" in out.getvalue()


def test_progress_is_silent_towards_a_file() -> None:
    """A log of `make up` holds no progress."""
    out = io.StringIO()
    progress = Progress(out)
    progress.show(make_status())
    progress.end()
    assert out.getvalue() == ""
