"""Tells a person at a terminal how the start goes; silent towards anything else."""

import shutil
import time
from collections.abc import Sequence
from typing import TextIO

from services.stack.status import PartStatus, StackStatus, State

_CLEAR_LINE = "\r\x1b[K"


class Progress:
    """A line for each part once it is healthy, and one that says who is awaited."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._visible = out.isatty()
        self._began_s = time.monotonic()
        self._told: set[str] = set()

    def show(self, status: StackStatus) -> None:
        """Print what is new."""
        if not self._visible:
            return
        awaited = []
        for part in status.parts:
            if part.state is not State.HEALTHY:
                awaited.append(part)
            elif part.name not in self._told:
                self._told.add(part.name)
                took = f"{part.start_s:5.1f} s" if part.start_s is not None else ""
                self._out.write(f"{_CLEAR_LINE}  {part.name:<14}healthy {took}\n")
        if awaited:
            elapsed_s = time.monotonic() - self._began_s
            line = f"  {elapsed_s:.0f} s, waiting for {_names(awaited)}"
            # A line that wraps could not be cleared again.
            self._out.write(_CLEAR_LINE + line[: shutil.get_terminal_size().columns - 1])
        self._out.flush()

    def end(self) -> None:
        """Leave the cursor on an empty line."""
        if self._visible:
            self._out.write(_CLEAR_LINE)
            self._out.flush()


def _names(parts: Sequence[PartStatus]) -> str:
    """List parts; one that hasn't begun to start says why."""
    return ", ".join(
        f"{part.name} ({part.detail})" if part.detail and part.state is State.WAITING else part.name
        for part in parts
    )
