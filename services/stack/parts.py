"""What a part of the stack is: how it starts, how one knows that it works, how it stops."""

import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.stack.isolation import DIRECT, Isolation

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class ListeningPort:
    """A port that a part listens on, and the setting that moves it."""

    host: str
    number: int
    setting: str


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run as a child that doesn't outlive its parent."""

    program: Sequence[str | Path]
    environment: Mapping[str, str]
    folder: Path
    isolation: Isolation = DIRECT
    death_signal: signal.Signals = signal.SIGTERM
    """Sent to the child by the kernel when the thread that started it is gone."""

    def arguments(self) -> list[str]:
        """Return the command line that starts the program through the launcher."""
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER)]
        tie = [str(int(self.death_signal)), str(os.getpid())]
        identity = [self.isolation.mode, str(self.isolation.uid), str(self.isolation.gid)]
        return [*launcher, *tie, *identity, *map(str, self.program)]


class Part(ABC):
    """One program of the stack."""

    name: str
    after: Sequence[str] = ()
    """Parts that must be healthy before this one is started for the first time."""
    ports: Sequence[ListeningPort] = ()
    stop_signal: signal.Signals = signal.SIGTERM

    @abstractmethod
    async def prepare(self) -> Command:
        """Make everything ready for a start; called before each."""

    @abstractmethod
    async def probe(self) -> None:
        """Raise unless the part does its work right now."""

    async def settle(self) -> None:  # noqa: B027 - most parts need nothing
        """Do what a start needs once the part answers, before others rely on it."""

    async def drain(self) -> None:  # noqa: B027 - most parts need nothing
        """Let running work end, before the stop signal."""


def minimal_environment() -> dict[str, str]:
    """Return what a program needs that takes no settings from its environment."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TZ": "UTC"}
