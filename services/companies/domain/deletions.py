"""How the deletion of a company goes: every service erases, this one last."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

ERASING_SERVICES = ("auth", "telemetry", "users")
"""The services that hold something of companies, and report when they don't any more."""


@dataclass(frozen=True, slots=True)
class DeletionStep:
    """What one service has to erase."""

    service: str
    done_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """How far a deletion is."""

    request_time: datetime
    ask_time: datetime
    """When the services were last asked."""
    steps: Sequence[DeletionStep]
    """In the order of the services' names."""
    complete_time: datetime | None = None

    @classmethod
    def begin(cls, now: datetime) -> Self:
        """Ask every service for the first time."""
        steps = tuple(DeletionStep(service) for service in ERASING_SERVICES)
        return cls(request_time=now, ask_time=now, steps=steps)

    @property
    def all_reported(self) -> bool:
        """Whether only this service holds something yet."""
        return all(step.done_time is not None for step in self.steps)

    def reported(self, service: str, now: datetime) -> Self:
        """Note that a service has erased; one that has said so before, or wasn't asked, is fine."""
        steps = tuple(
            DeletionStep(service, now) if step == DeletionStep(service) else step
            for step in self.steps
        )
        return dataclasses.replace(self, steps=steps)
