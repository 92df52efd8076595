"""Invitations and changes of passwords, on fakes."""

import asyncio

import pytest

from services.auth.domain.credentials import Credential
from services.auth.domain.errors import (
    CredentialsInvalid,
    InvitationInvalid,
    LoginThrottled,
    PasswordTooWeak,
    RefreshTokenInvalid,
)
from services.auth.domain.sessions import SessionGrant
from services.auth.usecases.passwords import SessionOwner
from tests.fixtures.auth_world import LIFETIMES, ORIGIN, PASSWORD, AuthWorld, a_change

NEW_PASSWORD = "another long password"


async def invited(world: AuthWorld) -> tuple[str, str]:
    """Invite somebody; return their address and their code."""
    change = a_change()
    await world.apply_change(change)
    return change.email, await world.invitation_code()


async def session_of(world: AuthWorld, person: Credential) -> tuple[SessionGrant, SessionOwner]:
    """Log a person in."""
    grant = await world.login(person.email, PASSWORD, ORIGIN)
    session_id = list(world.store.tables.sessions)[-1]
    return grant, SessionOwner(person.user_id, session_id, ORIGIN)


async def test_an_invitation_sets_the_password_and_opens_a_session(world: AuthWorld) -> None:
    """From then on the password logs in."""
    email, code = await invited(world)

    grant = await world.accept_invitation(code, PASSWORD, ORIGIN)

    assert (await world.refresh(grant.refresh_token, ORIGIN)).access_token
    assert (await world.login(email, PASSWORD, ORIGIN)).access_token


async def test_a_code_works_however_it_was_copied(world: AuthWorld) -> None:
    """Case, spaces and hyphens don't matter."""
    _, code = await invited(world)

    assert (
        await world.accept_invitation(f" {code.lower().replace('-', ' ')}\n", PASSWORD, ORIGIN)
    ).access_token


async def test_an_invitation_works_once(world: AuthWorld) -> None:
    """Of several at the same time one is accepted."""
    _, code = await invited(world)

    attempts = [world.accept_invitation(code, PASSWORD, ORIGIN) for _ in range(3)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)

    assert sum(isinstance(outcome, SessionGrant) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, InvitationInvalid) for outcome in outcomes) == 2


async def test_an_invitation_expires(world: AuthWorld) -> None:
    """After a week it is too late."""
    _, code = await invited(world)
    world.clock.now += LIFETIMES.invitation

    with pytest.raises(InvitationInvalid):
        await world.accept_invitation(code, PASSWORD, ORIGIN)


async def test_a_made_up_code_costs_no_hash(world: AuthWorld) -> None:
    """Guessing codes can't keep the hashing threads busy."""
    with pytest.raises(InvitationInvalid):
        await world.accept_invitation("AAAA-AAAA", PASSWORD, ORIGIN)

    assert world.hasher.verified == []
    assert world.recorder.failures == ["invitation_invalid"]


@pytest.mark.parametrize(
    "password", ["too short", "aaaaaaaaaaaaaaaa", "PasswordPassword", "123456789012"]
)
async def test_a_weak_password_leaves_the_invitation_open(world: AuthWorld, password: str) -> None:
    """The person tries again with a better one."""
    _, code = await invited(world)

    with pytest.raises(PasswordTooWeak) as weak:
        await world.accept_invitation(code, password, ORIGIN)

    assert [violation.field for violation in weak.value.violations] == ["password"]
    assert (await world.accept_invitation(code, PASSWORD, ORIGIN)).access_token


async def test_what_is_made_of_the_name_is_no_password(world: AuthWorld) -> None:
    """Whoever guesses knows whom they attack."""
    change = a_change(display_name="Augusta Byron")
    await world.apply_change(change)
    code = await world.invitation_code()

    with pytest.raises(PasswordTooWeak) as weak:
        await world.accept_invitation(code, "byron augusta augusta", ORIGIN)

    assert weak.value.metadata == {"weakness": "GUESSABLE"}


async def test_a_weak_new_password_costs_no_attempt(world: AuthWorld) -> None:
    """Looking for a better one doesn't lock its owner out."""
    person = await world.add_person()
    _, owner = await session_of(world, person)

    for _ in range(5):
        with pytest.raises(PasswordTooWeak):
            await world.change_password(owner, PASSWORD, "passwordpassword")

    await world.change_password(owner, PASSWORD, NEW_PASSWORD)


async def test_the_address_is_no_password(world: AuthWorld) -> None:
    """Long enough as it is, it is the first guess."""
    email, code = await invited(world)

    with pytest.raises(PasswordTooWeak):
        await world.accept_invitation(code, email.upper(), ORIGIN)


async def test_owners_are_told_that_their_password_was_changed(world: AuthWorld) -> None:
    """And from where; a refused change tells nobody."""
    person = await world.add_person()
    _, owner = await session_of(world, person)

    with pytest.raises(CredentialsInvalid):
        await world.change_password(owner, "not the password", NEW_PASSWORD)
    await world.change_password(owner, PASSWORD, NEW_PASSWORD)
    await world.send_all_mail()

    (mail,) = world.mailer.sent.values()
    assert mail.recipient == person.email
    assert owner.origin.address in mail.text
    assert NEW_PASSWORD not in mail.text


async def test_a_change_ends_the_other_sessions_only(world: AuthWorld) -> None:
    """Whoever else was logged in is not any more; the new password works, the old doesn't."""
    person = await world.add_person()
    other, _ = await session_of(world, person)
    own, owner = await session_of(world, person)

    await world.change_password(owner, PASSWORD, NEW_PASSWORD)

    assert (await world.refresh(own.refresh_token, ORIGIN)).access_token
    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(other.refresh_token, ORIGIN)
    assert (await world.login(person.email, NEW_PASSWORD, ORIGIN)).access_token
    with pytest.raises(CredentialsInvalid):
        await world.login(person.email, PASSWORD, ORIGIN)
    assert len((await world.list_revocations(0)).revocations) == 1


async def test_a_change_needs_the_current_password(world: AuthWorld) -> None:
    """A stolen session doesn't give the account away, and guessing is throttled."""
    person = await world.add_person()
    _, owner = await session_of(world, person)

    for _ in range(3):
        with pytest.raises(CredentialsInvalid):
            await world.change_password(owner, "not the password", NEW_PASSWORD)
    with pytest.raises(LoginThrottled):
        await world.change_password(owner, PASSWORD, NEW_PASSWORD)

    assert world.store.tables.credentials[person.user_id] == person


async def test_a_weak_new_password_changes_nothing(world: AuthWorld) -> None:
    """The error names the field."""
    person = await world.add_person()
    _, owner = await session_of(world, person)

    with pytest.raises(PasswordTooWeak) as weak:
        await world.change_password(owner, PASSWORD, "short")

    assert [violation.field for violation in weak.value.violations] == ["new_password"]
    assert world.store.tables.credentials[person.user_id] == person


async def test_passwords_match_however_their_characters_are_composed(world: AuthWorld) -> None:
    """One keyboard sends an umlaut as one character, another as two."""
    _, code = await invited(world)
    await world.accept_invitation(code, "Stra\u00dfenr\u00e4uber", ORIGIN)
    (person,) = world.store.tables.credentials.values()

    assert (await world.login(person.email, "Stra\u00dfenra\u0308uber", ORIGIN)).access_token
