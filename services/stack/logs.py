"""Logs of the parts: appended to by the parts themselves, rotated by the supervisor."""

import os
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

_TAIL_SIZE_BYTES = 65_536
_POLL_S = 0.2


def rotate(log: Path, size_bytes_max: int, files_kept: int) -> None:
    """Move a log that has grown too big out of the way.

    Its writer holds it open and appends, so the content is copied and the file emptied. Lines
    written in that instant are lost; a pipe through the supervisor instead would stop every part
    whenever the supervisor is busy.
    """
    if not log.exists() or log.stat().st_size <= size_bytes_max:
        return
    for number in range(files_kept - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    with log.open("r+b") as file:
        file.truncate(0)


def tail(log: Path, lines_max: int) -> list[str]:
    """Return the last lines of a log."""
    try:
        with log.open("rb") as file:
            return _last_lines(file, lines_max)
    except FileNotFoundError:
        return []


def follow(logs: Mapping[str, Path], lines_max: int) -> None:
    """Print the last lines of some logs, then what is appended to them, until interrupted."""
    with ExitStack() as stack:
        files = {name: stack.enter_context(path.open("rb")) for name, path in logs.items()}
        for name, file in files.items():
            print_lines(name if len(logs) > 1 else "", _last_lines(file, lines_max))
        while True:
            for name, file in files.items():
                _print_new_lines(name if len(logs) > 1 else "", file, logs[name])
            sys.stdout.flush()
            time.sleep(_POLL_S)


def _last_lines(file: BinaryIO, lines_max: int) -> list[str]:
    """Return the last lines of a file; what is read from it next is what comes after them."""
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(max(0, size_bytes - _TAIL_SIZE_BYTES))
    return file.read().decode(errors="replace").splitlines()[-lines_max:]


def print_lines(name: str, lines: list[str]) -> None:
    """Print lines, marked with the part that they come from."""
    mark = f"{name:<10} | " if name else ""
    for line in lines:
        print(f"{mark}{line}")


def _print_new_lines(name: str, file: BinaryIO, path: Path) -> None:
    if path.stat().st_size < file.tell():
        file.seek(0)
    print_lines(name, file.read().decode(errors="replace").splitlines())
