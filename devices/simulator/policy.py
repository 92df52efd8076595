"""What a board does with each answer: the HTTP contract of `DeviceLinkHttpService`."""

import enum
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

RETRY_AFTER_S_MAX = 3600.0
"""A board looks again after an hour even if it is told to stay away longer."""


class Verdict(enum.Enum):
    """What an answer to an upload means for the batch and the board."""

    DELETE = enum.auto()
    QUARANTINE = enum.auto()
    AUTHENTICATE = enum.auto()
    STOP = enum.auto()
    SPLIT = enum.auto()
    RETRY = enum.auto()


_VERDICTS = {
    400: Verdict.QUARANTINE,
    409: Verdict.QUARANTINE,
    401: Verdict.AUTHENTICATE,
    403: Verdict.STOP,
    413: Verdict.SPLIT,
}


def judge(status: int) -> Verdict:
    """Return what a status means."""
    if 200 <= status < 300:
        return Verdict.DELETE
    return _VERDICTS.get(status, Verdict.RETRY)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: a random wait below a bound that doubles with each failure."""

    base_s: float = 1.0
    max_s: float = 300.0

    def wait_s(self, failures: int, rng: random.Random) -> float:
        """Return the wait after a number of failures in a row, counted from 1."""
        # The exponent is bounded so that a very long outage doesn't overflow a float.
        return rng.uniform(0, min(self.max_s, self.base_s * 2 ** min(failures, 32)))


def retry_after_s(headers: Mapping[str, str], unix_ms: int) -> float | None:
    """Return how long the server asks to be left alone, if it does: seconds or an HTTP date."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        wanted_s = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        wanted_s = date.replace(tzinfo=date.tzinfo or UTC).timestamp() - unix_ms / 1000
    if math.isnan(wanted_s):
        return None
    return min(max(wanted_s, 0.0), RETRY_AFTER_S_MAX)
