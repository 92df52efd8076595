"""What every use case may need."""

import uuid
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day."""

    def __call__(self) -> datetime:
        """Return the present time, aware of its zone."""


class IdSource(Protocol):
    """Where new ids come from."""

    def __call__(self) -> uuid.UUID:
        """Draw an id."""
