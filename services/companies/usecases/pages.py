"""Parts of lists."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, and where the next part starts: None on the last."""

    items: Sequence[T]
    next_after: uuid.UUID | None


def page_of(found: Sequence[T], limit: int, id_of: Callable[[T], uuid.UUID]) -> Page[T]:
    """Make a page of what was found when one more was looked for than it may hold."""
    page = found[:limit]
    return Page(page, id_of(page[-1]) if len(found) > limit else None)
