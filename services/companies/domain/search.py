"""How names are found and ordered: case and accents don't count."""

import unicodedata
from collections.abc import Sequence

from services.chassis.errors import invalid_field

SORT_NAME_LENGTH_MAX = 100


def folded(text: str) -> str:
    """Return a text without accents and without case."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(
        character for character in decomposed if unicodedata.category(character) != "Mn"
    ).casefold()


def sort_name(display_name: str) -> str:
    """Return what something is ordered by when names are.

    It is computed here and stored, so that the order is the same whatever database it is in; and
    it is bounded, since a page token carries it.
    """
    return folded(display_name)[:SORT_NAME_LENGTH_MAX]


def words_of(query: str) -> Sequence[str]:
    """Read the words that are searched for, folded.

    Raises:
        InvalidArgument: it holds what no name can.
    """
    if any(unicodedata.category(character) == "Cc" for character in query):
        raise invalid_field("query", "Control characters are not allowed.")
    return folded(query).split()
