"""Logs are rotated by size, and their ends are shown."""

from pathlib import Path

from services.stack.logs import rotate, tail


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    """Nothing is rotated before it is time."""
    log = tmp_path / "auth.log"
    log.write_text("line\n")
    rotate(log, 100, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["auth.log"]


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    """The oldest goes, the rest moves up by one."""
    log = tmp_path / "auth.log"
    for number in range(5):
        log.write_text(f"{number}" * 200)
        rotate(log, 100, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "auth.log",
        "auth.log.1",
        "auth.log.2",
    ]
    assert log.read_text() == ""
    assert (tmp_path / "auth.log.1").read_text() == "4" * 200
    assert (tmp_path / "auth.log.2").read_text() == "3" * 200


def test_a_writer_goes_on_in_the_emptied_file(tmp_path: Path) -> None:
    """A part holds its log open for its whole life."""
    log = tmp_path / "auth.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 200)
        rotate(log, 100, 2)
        writer.write(b"after\n")
    assert log.read_text() == "after\n"


def test_the_tail_is_the_end(tmp_path: Path) -> None:
    """The last lines come, of a log however long, and none of a log that isn't there."""
    log = tmp_path / "auth.log"
    log.write_text("".join(f"line {number}\n" for number in range(50_000)))
    assert tail(log, 2) == ["line 49998", "line 49999"]
    assert tail(tmp_path / "none.log", 2) == []
