"""Parts of lists."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, and where the next part starts: None on the last."""

    items: Sequence[T]
    next_after: uuid.UUID | None
