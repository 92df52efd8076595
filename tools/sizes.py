"""Fails where a file or a function of ours has outgrown what a reader takes in at once."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70
CODE_SUFFIXES = frozenset({".c", ".h", ".js", ".proto", ".py", ".sh"})


def code_files(root: Path) -> list[Path]:
    """Return the hand-written code files, committed or about to be, that git doesn't ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    generated = "protos/gen/"
    return [
        root / name
        for name in sorted(set(listed))
        if Path(name).suffix in CODE_SUFFIXES
        and not name.startswith(generated)
        and (root / name).is_file()
    ]


def oversized(path: Path) -> Iterator[str]:
    """Say what in the file is too long, a line each."""
    text = path.read_text("utf-8")
    lines = text.count("\n")
    if lines > MAX_FILE_LINES:
        yield f"{path}: {lines} lines, {MAX_FILE_LINES} at most"
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield (
                    f"{path}:{node.lineno}: {node.name} has {length} lines,"
                    f" {MAX_FUNCTION_LINES} at most"
                )


def main() -> int:
    """Print each finding; return the exit status."""
    root = Path(__file__).resolve().parent.parent
    found = [line for path in code_files(root) for line in oversized(path.relative_to(root))]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
