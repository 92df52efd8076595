"""The size limits catch what is too long and say where it is."""

from pathlib import Path

from tools import sizes


def test_a_long_file_and_a_long_function_are_reported(tmp_path: Path) -> None:
    """A file one line above its limit and a function one line above its own are both named."""
    path = tmp_path / "long.py"
    body = "    pass\n" * sizes.MAX_FUNCTION_LINES
    filling = "\n" * (sizes.MAX_FILE_LINES - sizes.MAX_FUNCTION_LINES)
    path.write_text(f"async def long():\n{body}{filling}", "utf-8")

    whole_file, function = sizes.oversized(path)

    assert whole_file == f"{path}: 401 lines, 400 at most"
    assert function == f"{path}:1: long has 71 lines, 70 at most"


def test_the_limits_themselves_are_allowed(tmp_path: Path) -> None:
    """A file and a function of exactly the greatest size pass."""
    path = tmp_path / "full.py"
    body = "    pass\n" * (sizes.MAX_FUNCTION_LINES - 1)
    filling = "\n" * (sizes.MAX_FILE_LINES - sizes.MAX_FUNCTION_LINES)
    path.write_text(f"def full():\n{body}{filling}", "utf-8")

    assert list(sizes.oversized(path)) == []


def test_generated_code_is_not_measured() -> None:
    """Nobody reads it, so its length is nobody's burden."""
    root = Path(sizes.__file__).parents[1]

    files = [path.relative_to(root).as_posix() for path in sizes.code_files(root)]

    assert "protos/generate.py" in files
    assert not any(name.startswith("protos/gen/") for name in files)
