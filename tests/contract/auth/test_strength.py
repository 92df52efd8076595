"""What every estimator of passwords does."""

from collections.abc import AsyncIterator

import pytest

from services.auth.adapters.bounded_threads import BoundedThreads
from services.auth.adapters.zxcvbn_estimator import ZxcvbnPasswordStrength
from services.auth.domain.passwords import known_words
from services.auth.ports.passwords import PasswordStrength
from tests.fixtures.auth_fakes import FakePasswordStrength

KNOWN = known_words("augusta.byron@example.com", "Augusta Ada Byron")
STRONG = 3


@pytest.fixture(params=["fake", "zxcvbn"])
async def strength(request: pytest.FixtureRequest) -> AsyncIterator[PasswordStrength]:
    """The adapter under test."""
    if request.param == "fake":
        yield FakePasswordStrength()
        return
    threads = BoundedThreads(threads=1, queue_max=4)
    yield ZxcvbnPasswordStrength(threads)
    await threads.close()


@pytest.fixture
async def zxcvbn() -> AsyncIterator[ZxcvbnPasswordStrength]:
    """The real one."""
    threads = BoundedThreads(threads=1, queue_max=4)
    yield ZxcvbnPasswordStrength(threads)
    await threads.close()


@pytest.mark.parametrize(
    "password",
    [
        "a long enough password",
        "xk3$9vbQpl2m",
        "dezassete cavalos à chuva",
        "🙂🙃🙂😀😎🤖🎉🐙🐳🦀🐧🦉",
    ],
)
async def test_what_nobody_guesses_is_strong(strength: PasswordStrength, password: str) -> None:
    """Many words, or random characters; any of Unicode's."""
    assert (await strength.estimate(password, KNOWN)).score >= STRONG


@pytest.mark.parametrize(
    "password",
    [
        "augusta.byron@example.com",
        "byronaugusta",
        "dashtrackdashtrack",
        "passwordpassword",
        "123456789012",
        "aaaaaaaaaaaaaaaa",
        "correcthorsebatterystaple",
    ],
)
async def test_what_is_guessed_first_is_weak(strength: PasswordStrength, password: str) -> None:
    """Names, the product, what is on every list, and a phrase that everybody has read."""
    assert (await strength.estimate(password, KNOWN)).score < STRONG


@pytest.mark.parametrize(
    "password", ["password1234", "qwerty123456", "1qaz2wsx3edc", "P@ssw0rd1234"]
)
async def test_leaked_passwords_are_common(zxcvbn: ZxcvbnPasswordStrength, password: str) -> None:
    """And there is something to say about them."""
    estimate = await zxcvbn.estimate(password, KNOWN)

    assert estimate.score < STRONG
    assert estimate.common
    assert estimate.advice.endswith(".")


async def test_a_weak_beginning_does_not_spoil_a_strong_end(
    zxcvbn: ZxcvbnPasswordStrength,
) -> None:
    """A password is no easier to guess than its parts."""
    assert (await zxcvbn.estimate("a" * 40 + "xk3$9vbQpl2m", KNOWN)).score >= STRONG
    assert (await zxcvbn.estimate("a" * 256, KNOWN)).score < STRONG
