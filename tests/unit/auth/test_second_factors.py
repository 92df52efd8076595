"""Authenticators, on fakes."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

from services.auth.domain.credentials import Credential
from services.auth.domain.errors import (
    CredentialsInvalid,
    LoginThrottled,
    TotpEnabled,
    TotpNotEnrolled,
    TwoFactorInvalid,
    TwoFactorRequired,
)
from services.auth.domain.sessions import SessionGrant
from services.auth.domain.totp import Proof, totp_code
from services.auth.usecases.passwords import SessionOwner
from services.auth.usecases.proving import Claim
from tests.fixtures.auth_world import ORIGIN, PASSWORD, AuthWorld

RFC_SECRET = b"12345678901234567890"


class Authenticated:
    """Somebody with an authenticator that is on, and with backup codes."""

    def __init__(self, world: AuthWorld, person: Credential) -> None:
        self.world = world
        self.person = person
        self.backup_codes: list[str] = []

    @property
    def owner(self) -> SessionOwner:
        """The person in their last session."""
        session_id = list(self.world.store.tables.sessions)[-1]
        return SessionOwner(self.person.user_id, session_id, ORIGIN)

    def code(self, steps: int = 0) -> str:
        """Read what the authenticator shows, or showed or will show some steps away."""
        secret = self.world.store.tables.totps[self.person.user_id].secret
        return totp_code(secret, int(self.world.clock().timestamp()) // 30 + steps)

    async def log_in(self, totp_code: str = "", backup_code: str = "") -> SessionGrant:
        """Log in with the right password."""
        proof = Proof(totp_code, backup_code)
        return await self.world.login(self.person.email, PASSWORD, ORIGIN, proof)


@pytest.fixture
async def ada(world: AuthWorld) -> Authenticated:
    """Somebody who has enrolled; the code that confirmed it was of a minute ago."""
    found = Authenticated(world, await world.add_person())
    await found.log_in()
    await world.enroll_totp(found.owner, PASSWORD)
    found.backup_codes = list(await world.confirm_totp(found.person.user_id, found.code()))
    world.clock.advance(minutes=1)
    return found


@pytest.mark.parametrize(
    ("moment_s", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(moment_s: int, code: str) -> None:
    """The vectors of RFC 6238 for SHA-1, six digits of their eight."""
    assert totp_code(RFC_SECRET, moment_s // 30) == code


async def test_a_login_asks_for_the_code_once_the_password_is_right(ada: Authenticated) -> None:
    """Nobody else learns that there is an authenticator, and being asked costs nothing."""
    for _ in range(10):
        with pytest.raises(TwoFactorRequired):
            await ada.log_in()
    with pytest.raises(CredentialsInvalid):
        await ada.world.login(ada.person.email, "wrong", ORIGIN, Proof(ada.code()))

    assert (await ada.log_in(ada.code())).user_id == ada.person.user_id
    assert ada.world.recorder.failures == ["two_factor_required"] * 10 + ["credentials_invalid"]


@pytest.mark.parametrize("steps", [-1, 0, 1])
async def test_clocks_may_differ_by_a_step(ada: Authenticated, steps: int) -> None:
    """A code may be typed slowly, too."""
    code = ada.code(steps)

    assert (await ada.log_in(f"{code[:3]} {code[3:]}")).access_token


@pytest.mark.parametrize("steps", [-2, 2])
async def test_other_codes_are_wrong(ada: Authenticated, steps: int) -> None:
    """They are too old, or not due yet."""
    with pytest.raises(TwoFactorInvalid):
        await ada.log_in(ada.code(steps))


@pytest.mark.parametrize("text", ["", "٣٣٣٣٣٣", "abcdef", "\0", "1" * 16])
async def test_any_text_may_be_tried(ada: Authenticated, text: str) -> None:
    """It is wrong, or nothing."""
    with pytest.raises((TwoFactorInvalid, TwoFactorRequired)):
        await ada.log_in(text)


async def test_a_code_is_not_accepted_again(ada: Authenticated) -> None:
    """Nor is one from before it; of two at once one wins."""
    code, earlier = ada.code(), ada.code(-1)
    outcomes = await asyncio.gather(*(ada.log_in(code) for _ in range(2)), return_exceptions=True)
    assert sum(isinstance(outcome, SessionGrant) for outcome in outcomes) == 1

    for used in (code, earlier):
        with pytest.raises((TwoFactorInvalid, LoginThrottled)):
            await ada.log_in(used)

    ada.world.clock.advance(minutes=15)
    assert (await ada.log_in(ada.code())).access_token


async def test_wrong_codes_are_throttled_as_wrong_passwords_are(ada: Authenticated) -> None:
    """Whoever knows the password can't guess the code."""
    for _ in range(3):
        with pytest.raises(TwoFactorInvalid):
            await ada.log_in("000000" if ada.code() != "000000" else "000001")

    with pytest.raises(LoginThrottled):
        await ada.log_in(ada.code())


async def test_each_backup_code_works_once(ada: Authenticated) -> None:
    """However it is copied."""
    assert len(set(ada.backup_codes)) == 10
    first, second, *_ = ada.backup_codes
    assert (await ada.log_in(backup_code=first.lower().replace("-", " "))).access_token

    with pytest.raises(TwoFactorInvalid):
        await ada.log_in(backup_code=first)

    assert (await ada.log_in(backup_code=second)).access_token


async def test_the_store_keeps_no_backup_code(ada: Authenticated) -> None:
    """Only keyed hashes."""
    digests = ada.world.store.tables.backup_codes[ada.person.user_id]

    assert len(digests) == 10
    assert not digests & {code.encode() for code in ada.backup_codes}


async def test_new_backup_codes_replace_the_earlier_ones(ada: Authenticated) -> None:
    """With password and code."""
    fresh = await ada.world.regenerate_backup_codes(Claim(ada.owner, PASSWORD, Proof(ada.code())))

    with pytest.raises(TwoFactorInvalid):
        await ada.log_in(backup_code=ada.backup_codes[0])
    assert (await ada.log_in(backup_code=fresh[0])).access_token


async def test_a_disabled_authenticator_is_not_asked_for(ada: Authenticated) -> None:
    """Nothing of it stays, and another can be enrolled."""
    await ada.world.disable_totp(Claim(ada.owner, PASSWORD, Proof(backup_code=ada.backup_codes[0])))

    assert (await ada.log_in()).access_token
    assert ada.person.user_id not in ada.world.store.tables.totps
    assert ada.person.user_id not in ada.world.store.tables.backup_codes
    assert (await ada.world.enroll_totp(ada.owner, PASSWORD)).secret


async def test_an_authenticator_is_changed_with_both_proofs_only(ada: Authenticated) -> None:
    """Whoever took over a session has neither."""
    world, owner = ada.world, ada.owner
    for change in (world.disable_totp, world.regenerate_backup_codes):
        with pytest.raises(CredentialsInvalid):
            await change(Claim(owner, "wrong", Proof(ada.code())))
        with pytest.raises(TwoFactorRequired):
            await change(Claim(owner, PASSWORD, Proof()))
        world.clock.advance(minutes=15)
        with pytest.raises(TwoFactorInvalid):
            await change(Claim(owner, PASSWORD, Proof(backup_code="AAAA-AAAA")))
        world.clock.advance(minutes=15)

    reasons = ["credentials_invalid", "two_factor_required", "two_factor_invalid"]
    assert world.recorder.failures == reasons * 2
    with pytest.raises(TwoFactorRequired):
        await ada.log_in()


async def test_an_authenticator_that_is_on_is_not_replaced(ada: Authenticated) -> None:
    """It is disabled first, which needs it."""
    with pytest.raises(TotpEnabled):
        await ada.world.enroll_totp(ada.owner, PASSWORD)
    with pytest.raises(TotpEnabled):
        await ada.world.confirm_totp(ada.person.user_id, ada.code())


async def test_enrolling_needs_the_password_and_tells_what_an_authenticator_needs(
    world: AuthWorld,
) -> None:
    """Logins don't ask for it until it was confirmed; enrolling again replaces it."""
    bob = Authenticated(world, await world.add_person(email="bob+fleet@example.com"))
    await bob.log_in()
    with pytest.raises(CredentialsInvalid):
        await world.enroll_totp(bob.owner, "wrong")
    with pytest.raises(TotpNotEnrolled):
        await world.confirm_totp(bob.person.user_id, "000000")

    first = await world.enroll_totp(bob.owner, PASSWORD)
    second = await world.enroll_totp(bob.owner, PASSWORD)

    assert first.secret != second.secret
    parts = urlsplit(second.uri)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/DashTrack:bob%2Bfleet@example.com"
    assert parse_qs(parts.query) == {
        "secret": [second.secret],
        "issuer": ["DashTrack"],
        "digits": ["6"],
        "period": ["30"],
    }
    assert second.secret not in repr(second)
    wrong = "000000" if bob.code() != "000000" else "000001"
    with pytest.raises(TwoFactorInvalid):
        await world.confirm_totp(bob.person.user_id, wrong)
    assert (await bob.log_in()).access_token
    for change in (world.disable_totp, world.regenerate_backup_codes):
        with pytest.raises(TotpNotEnrolled):
            await change(Claim(bob.owner, PASSWORD, Proof(bob.code())))


async def test_owners_are_told_that_an_authenticator_went_on_or_off(ada: Authenticated) -> None:
    """Whoever did not do it learns of it at once."""
    await ada.world.send_all_mail()
    (on,) = ada.world.mailer.sent.values()
    await ada.world.disable_totp(Claim(ada.owner, PASSWORD, Proof(ada.code())))
    await ada.world.send_all_mail()

    off = list(ada.world.mailer.sent.values())[-1]
    assert [on.recipient, off.recipient] == [ada.person.email] * 2
    assert on.subject != off.subject
