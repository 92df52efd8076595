"""Background work of a service: restarted with backoff when it fails, ended when the service stops."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Worker:
    """A named loop that runs for as long as the service does."""

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]
    """Runs until the event is set; returning or raising before that gets it started again."""
