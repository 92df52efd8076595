"""Strength of passwords by zxcvbn: dictionaries of leaked ones, names, words, keyboards, dates.

The time that it takes grows steeply with the length, for texts that are made to that end: one of
100 characters takes seconds. It keeps the interpreter lock meanwhile, so threads alone would not
keep the event loop going. A part of a password is no harder to guess than the whole, so bounded
parts are estimated: the beginning, and the end if that is too weak. 32 characters took 64 ms at
the worst, and usually one.
"""

from collections.abc import Sequence

from zxcvbn_rs_py import Entropy, Warning, zxcvbn  # noqa: A004 - the library's name for it

from services.auth.adapters.bounded_threads import BoundedThreads
from services.auth.domain.passwords import StrengthEstimate

PART_LENGTH_MAX = 32
_SCORE_MAX = 4

_OF_COMMON_ONES = (
    Warning.ThisIsATop10Password,
    Warning.ThisIsATop100Password,
    Warning.ThisIsACommonPassword,
    Warning.ThisIsSimilarToACommonlyUsedPassword,
)


class ZxcvbnPasswordStrength:
    """Estimates in the threads that hash passwords, so that both have one bound."""

    def __init__(self, threads: BoundedThreads) -> None:
        self._threads = threads

    async def estimate(self, password: str, known: Sequence[str]) -> StrengthEstimate:
        """Estimate how hard a password is to guess for who knows some words.

        Raises:
            LoginThrottled: too much waits already.
        """
        words = list(known)
        head, tail = password[:PART_LENGTH_MAX], password[PART_LENGTH_MAX:][-PART_LENGTH_MAX:]
        found = await self._threads.run(lambda: zxcvbn(head, words))
        if tail and int(found.score) < _SCORE_MAX:
            of_tail = await self._threads.run(lambda: zxcvbn(tail, words))
            found = max(found, of_tail, key=lambda part: int(part.score))
        return _estimate(found)


def _estimate(found: Entropy) -> StrengthEstimate:
    feedback = found.feedback
    if feedback is None:
        return StrengthEstimate(int(found.score), common=False)
    sentences = [feedback.warning, *feedback.suggestions]
    return StrengthEstimate(
        score=int(found.score),
        common=feedback.warning in _OF_COMMON_ONES,
        advice=" ".join(str(sentence) for sentence in sentences if sentence is not None),
    )
