"""What the supervisor knows, as a file that every other command reads."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from services.stack.processes import ProcessIdentity


class Phase(StrEnum):
    """Where the stack as a whole is."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class State(StrEnum):
    """Where a part is."""

    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    """It answers that it can't work."""
    HUNG = "hung"
    """It is alive and doesn't answer."""
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(slots=True, kw_only=True)
class PartStatus:
    """Where a part is, and how it got there."""

    name: str
    ports: Sequence[int] = ()
    state: State = State.WAITING
    pid: int | None = None
    restarts: int = 0
    start_s: float | None = None
    """How long the last start took."""
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class StackStatus:
    """Where everything is."""

    supervisor: ProcessIdentity
    phase: Phase = Phase.STARTING
    ports: Mapping[str, int] = field(default_factory=dict)
    """Port numbers by the name of their setting, the offset added."""
    administrator_email: str = ""
    parts: Sequence[PartStatus] = ()
    culprit: str = ""
    """Whose log says why the start failed; empty where `failure` says it all."""
    failure: str = ""
    written_at_s: float = 0.0

    @property
    def healthy(self) -> bool:
        """Whether each part works."""
        return all(part.state is State.HEALTHY for part in self.parts)

    def fresh(self, silence_s: float) -> bool:
        """Whether the supervisor has written it lately."""
        return time.time() - self.written_at_s < silence_s

    def write(self, path: Path) -> None:
        """Store the status, whole or not at all."""
        self.written_at_s = time.time()
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(path)


def read_status(path: Path) -> StackStatus | None:
    """Return the last status that a supervisor has written; it may be long dead."""
    try:
        stored: dict[str, Any] = json.loads(path.read_text())
        parts = [PartStatus(**{**part, "state": State(part["state"])}) for part in stored["parts"]]
        return StackStatus(
            **{
                **stored,
                "supervisor": ProcessIdentity(**stored["supervisor"]),
                "phase": Phase(stored["phase"]),
                "parts": parts,
            }
        )
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return None


def status_table(status: StackStatus) -> str:
    """Lay the parts out as a table."""
    heading = ("part", "state", "pid", "restarts", "ports", "")
    rows = [
        (
            part.name,
            part.state,
            str(part.pid or "-"),
            str(part.restarts),
            ", ".join(map(str, part.ports)),
            part.detail,
        )
        for part in status.parts
    ]
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heading, *rows)
    )
    return "\n".join(lines)
