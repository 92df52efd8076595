"""Logging in, staying logged in, logging out, on fakes."""

import asyncio

import pytest

from services.auth.domain.credentials import CredentialStatus, Language
from services.auth.domain.errors import (
    CredentialsInvalid,
    LoginThrottled,
    RefreshTokenInvalid,
    RefreshTokenReused,
)
from services.auth.domain.sessions import Origin, SessionGrant
from tests.fixtures.auth_world import LIFETIMES, ORIGIN, PASSWORD, AuthWorld


async def logged_in(world: AuthWorld) -> SessionGrant:
    """Log somebody new in."""
    person = await world.add_person()
    return await world.login(person.email, PASSWORD, ORIGIN)


async def fail(world: AuthWorld, email: str, address: str = ORIGIN.address) -> None:
    """Try a wrong password."""
    with pytest.raises(CredentialsInvalid):
        await world.login(email, "not the password", Origin(address))


async def test_login_grants_what_the_credential_says(world: AuthWorld) -> None:
    """A session names the person, their role and company, and the token's life."""
    person = await world.add_person()

    grant = await world.login(f" {person.email.upper()} ", PASSWORD, ORIGIN)

    assert (grant.user_id, grant.role, grant.company_id) == (
        person.user_id,
        person.role,
        person.company_id,
    )
    assert grant.expires_in_s == 900
    claims = world.issuer.claims[-1]
    assert claims["aud"] == "dashtrack-api"
    assert claims["company_id"] == str(person.company_id)
    assert world.recorder.successes == [person.role]


async def test_attempts_that_nobody_had_time_to_check_cost_nothing(world: AuthWorld) -> None:
    """A flood of somebody else's doesn't use up an owner's attempts."""
    person = await world.add_person()
    world.hasher.busy = True
    for _ in range(10):
        with pytest.raises(LoginThrottled) as refused:
            await world.login(person.email, PASSWORD, ORIGIN)
        assert refused.value.retry_after_s == 1.0
    world.hasher.busy = False

    assert (await world.login(person.email, PASSWORD, ORIGIN)).user_id == person.user_id


async def test_unknown_people_cost_a_verification_and_get_the_same_error(world: AuthWorld) -> None:
    """Neither the error nor the work done tells whether an account exists."""
    person = await world.add_person()

    with pytest.raises(CredentialsInvalid) as unknown:
        await world.login("nobody@example.com", PASSWORD, ORIGIN)
    with pytest.raises(CredentialsInvalid) as wrong:
        await world.login(person.email, "not the password", ORIGIN)

    assert unknown.value.message == wrong.value.message
    assert world.hasher.verified == [None, person.password_hash]


@pytest.mark.parametrize("status", [CredentialStatus.INVITED, CredentialStatus.DEACTIVATED])
async def test_people_without_access_get_the_same_error_as_unknown_ones(
    world: AuthWorld, status: CredentialStatus
) -> None:
    """The right password doesn't help, and the hash is not even looked at."""
    person = await world.add_person(status=status)

    with pytest.raises(CredentialsInvalid):
        await world.login(person.email, PASSWORD, ORIGIN)

    assert world.hasher.verified == [None]


async def test_a_hash_of_older_parameters_is_renewed_at_login(world: AuthWorld) -> None:
    """The next hash is made with the parameters in force, of the password that was just given."""
    person = await world.add_person()
    world.hasher.generation = 2

    await world.login(person.email, PASSWORD, ORIGIN)

    assert world.store.tables.credentials[person.user_id].password_hash == f"2:{PASSWORD}"


async def test_the_right_password_is_refused_after_too_many_failures(world: AuthWorld) -> None:
    """After the limit an attempt is not even checked, and the error says when to come back."""
    person = await world.add_person()
    for _ in range(3):
        await fail(world, person.email)

    with pytest.raises(LoginThrottled) as throttled:
        await world.login(person.email, PASSWORD, ORIGIN)

    assert throttled.value.retry_after_s == 300
    assert len(world.hasher.verified) == 3


async def test_a_throttled_person_gets_in_after_the_time_that_they_were_told(
    world: AuthWorld,
) -> None:
    """Attempts while throttled don't prolong it."""
    person = await world.add_person()
    for _ in range(3):
        await fail(world, person.email)
    for _ in range(10):
        with pytest.raises(LoginThrottled) as throttled:
            await world.login(person.email, PASSWORD, ORIGIN)

    world.clock.advance(seconds=throttled.value.retry_after_s or 0)

    assert (await world.login(person.email, PASSWORD, ORIGIN)).access_token


async def test_one_address_is_limited_over_all_accounts(world: AuthWorld) -> None:
    """Trying one password on everybody ends too."""
    for number in range(8):
        await fail(world, f"person{number}@example.com")

    with pytest.raises(LoginThrottled):
        await world.login("another@example.com", PASSWORD, ORIGIN)


async def test_one_account_is_limited_over_all_addresses(world: AuthWorld) -> None:
    """Guessing one account's password from many addresses ends too."""
    person = await world.add_person()
    for number in range(5):
        await fail(world, person.email, f"198.51.100.{number}")

    with pytest.raises(LoginThrottled):
        await world.login(person.email, PASSWORD, Origin("198.51.100.99"))


async def test_nobody_is_locked_out_from_where_they_logged_in_before(world: AuthWorld) -> None:
    """An attacker with many addresses can't keep the owner of an account from their own."""
    person = await world.add_person()
    await world.login(person.email, PASSWORD, ORIGIN)
    for number in range(5):
        await fail(world, person.email, f"198.51.100.{number}")

    assert (await world.login(person.email, PASSWORD, ORIGIN)).access_token


async def test_successful_logins_are_not_counted(world: AuthWorld) -> None:
    """Somebody may log in as often as they like."""
    person = await world.add_person()

    for _ in range(20):
        assert (await world.login(person.email, PASSWORD, ORIGIN)).access_token


async def test_parallel_guesses_are_counted_before_they_are_checked(world: AuthWorld) -> None:
    """Sending guesses at once doesn't get more of them checked."""
    person = await world.add_person()

    guesses = [world.login(person.email, "not the password", ORIGIN) for _ in range(20)]
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)

    assert sum(isinstance(outcome, CredentialsInvalid) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, LoginThrottled) for outcome in outcomes) == 17


async def test_a_refresh_token_buys_the_next_one(world: AuthWorld) -> None:
    """A session goes on from token to token under one session id."""
    first = await logged_in(world)

    second = await world.refresh(first.refresh_token, ORIGIN)
    third = await world.refresh(second.refresh_token, ORIGIN)

    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert len({claims["sid"] for claims in world.issuer.claims}) == 1


async def test_a_reused_refresh_token_ends_the_session(world: AuthWorld) -> None:
    """The thief's and the owner's tokens both stop working, access tokens included."""
    first = await logged_in(world)
    second = await world.refresh(first.refresh_token, ORIGIN)

    with pytest.raises(RefreshTokenReused):
        await world.refresh(first.refresh_token, ORIGIN)
    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(second.refresh_token, ORIGIN)

    page = await world.list_revocations(0)
    assert [str(entry.session_id) for entry in page.revocations] == [world.issuer.claims[0]["sid"]]
    assert world.hint.announced == 1
    assert world.recorder.failures == ["refresh_token_reused", "refresh_token_invalid"]


async def test_the_owner_is_told_of_a_reuse_once(world: AuthWorld) -> None:
    """When it happened, and from where; further tries bring no further mail."""
    person = await world.add_person(language=Language.PORTUGUESE)
    first = await world.login(person.email, PASSWORD, ORIGIN)
    await world.refresh(first.refresh_token, ORIGIN)
    thief = Origin("203.0.113.7", "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0")

    for _ in range(3):
        with pytest.raises(RefreshTokenReused):
            await world.refresh(first.refresh_token, thief)

    await world.send_all_mail()
    (mail,) = world.mailer.sent.values()
    assert mail.recipient == person.email
    for fact in ("203.0.113.7", "Firefox on Windows", "2026-01-01 12:00"):
        assert fact in mail.text
    assert "terminada" in mail.subject


async def test_nobody_is_told_of_reuse_after_a_logout(world: AuthWorld) -> None:
    """The session has ended already, and nothing was lost."""
    first = await logged_in(world)
    await world.refresh(first.refresh_token, ORIGIN)
    await world.logout(next(iter(world.store.tables.sessions)))

    with pytest.raises(RefreshTokenReused):
        await world.refresh(first.refresh_token, ORIGIN)

    assert not world.store.tables.mails


async def test_of_parallel_refreshes_one_wins(world: AuthWorld) -> None:
    """The others find the token spent."""
    grant = await logged_in(world)

    refreshes = [world.refresh(grant.refresh_token, ORIGIN) for _ in range(5)]
    outcomes = await asyncio.gather(*refreshes, return_exceptions=True)

    assert sum(isinstance(outcome, SessionGrant) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, RefreshTokenReused) for outcome in outcomes) == 4


async def test_an_unknown_refresh_token_is_invalid(world: AuthWorld) -> None:
    """Nothing ends because of it."""
    await logged_in(world)

    with pytest.raises(RefreshTokenInvalid):
        await world.refresh("made up", ORIGIN)

    assert not world.store.tables.revocations


async def test_a_session_that_is_not_refreshed_is_over(world: AuthWorld) -> None:
    """A refresh token expires by itself."""
    grant = await logged_in(world)
    world.clock.now += LIFETIMES.refresh_token

    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(grant.refresh_token, ORIGIN)


async def test_a_session_ends_however_often_it_is_refreshed(world: AuthWorld) -> None:
    """After the longest life of a session its owner logs in again."""
    grant = await logged_in(world)
    for _ in range(8):
        world.clock.advance(days=11)
        grant = await world.refresh(grant.refresh_token, ORIGIN)
    world.clock.advance(days=2)

    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(grant.refresh_token, ORIGIN)


async def test_logout_revokes_the_session_once(world: AuthWorld) -> None:
    """Refreshing ends, access tokens are revoked until they have expired anyway."""
    grant = await logged_in(world)
    (session_id,) = world.store.tables.sessions

    await world.logout(session_id)
    await world.logout(session_id)

    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(grant.refresh_token, ORIGIN)
    page = await world.list_revocations(0)
    (revocation,) = page.revocations
    assert revocation.session_id == session_id
    assert revocation.expires_at > world.clock() + LIFETIMES.access_token
    assert world.hint.announced == 1


async def test_the_store_keeps_no_token_that_works(world: AuthWorld) -> None:
    """Whoever reads the database can't go on with anybody's session."""
    grant = await logged_in(world)

    (token,) = world.store.tables.refresh_tokens.values()

    assert grant.refresh_token.encode() not in token.digest
    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(token.digest.hex(), ORIGIN)
