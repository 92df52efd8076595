"""Passwords that their owners have forgotten, on fakes."""

import pytest

from services.auth.domain.credentials import Credential, CredentialStatus, Language
from services.auth.domain.errors import (
    CredentialsInvalid,
    LoginThrottled,
    PasswordTooWeak,
    RefreshTokenInvalid,
    ResetCodeInvalid,
)
from services.auth.domain.mails import RESET_CODE_HEADER, Mail
from services.auth.domain.sessions import Origin
from services.auth.usecases.passwords import SessionOwner
from tests.fixtures.auth_world import LIFETIMES, ORIGIN, PASSWORD, AuthWorld, a_change

NEW_PASSWORD = "another long password"


async def mails_after_asking(world: AuthWorld, email: str) -> list[Mail]:
    """Ask for a code; return the mails that come of it."""
    before = set(world.mailer.sent)
    await world.request_reset(email, ORIGIN)
    await world.send_all_mail()
    return [mail for mail_id, mail in world.mailer.sent.items() if mail_id not in before]


async def code_of(world: AuthWorld, person: Credential) -> str:
    """Ask for a code and read it in the mail."""
    (mail,) = await mails_after_asking(world, person.email)
    return dict(mail.headers)[RESET_CODE_HEADER]


async def test_a_code_sets_a_new_password_and_ends_all_sessions(world: AuthWorld) -> None:
    """Whoever got in with the old one is out, and the owner is told."""
    person = await world.add_person()
    grant = await world.login(person.email, PASSWORD, ORIGIN)
    code = await code_of(world, person)

    await world.reset_password(
        person.email.upper(), code.lower().replace("-", " "), NEW_PASSWORD, ORIGIN
    )

    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(grant.refresh_token, ORIGIN)
    with pytest.raises(CredentialsInvalid):
        await world.login(person.email, PASSWORD, ORIGIN)
    assert (await world.login(person.email, NEW_PASSWORD, ORIGIN)).user_id == person.user_id
    assert len((await world.list_revocations(0)).revocations) == 1
    await world.send_all_mail()
    notice = list(world.mailer.sent.values())[-1]
    assert (notice.recipient, notice.headers) == (person.email, ())
    assert code not in notice.text
    assert world.recorder.reset_requests == 1
    assert (world.woken, world.hint.announced) == (2, 1)


async def test_a_code_works_once(world: AuthWorld) -> None:
    """Then it is worth nothing."""
    person = await world.add_person()
    code = await code_of(world, person)
    await world.reset_password(person.email, code, NEW_PASSWORD, ORIGIN)

    with pytest.raises(ResetCodeInvalid):
        await world.reset_password(person.email, code, "yet another password", ORIGIN)

    assert (await world.login(person.email, NEW_PASSWORD, ORIGIN)).user_id == person.user_id
    assert world.recorder.failures == ["reset_code_invalid"]


async def test_a_code_expires(world: AuthWorld) -> None:
    """Half an hour later it is worth nothing, and then it is forgotten."""
    person = await world.add_person()
    code = await code_of(world, person)
    world.clock.now += LIFETIMES.password_reset

    with pytest.raises(ResetCodeInvalid):
        await world.reset_password(person.email, code, NEW_PASSWORD, ORIGIN)

    await world.prune()
    assert not world.store.tables.password_resets


async def test_a_later_code_replaces_an_earlier_one(world: AuthWorld) -> None:
    """Only the last mail counts."""
    person = await world.add_person()
    first = await code_of(world, person)
    second = await code_of(world, person)

    with pytest.raises(ResetCodeInvalid):
        await world.reset_password(person.email, first, NEW_PASSWORD, ORIGIN)
    await world.reset_password(person.email, second, NEW_PASSWORD, ORIGIN)


async def test_a_code_ends_after_too_many_wrong_ones(world: AuthWorld) -> None:
    """From wherever they come; another can be asked for."""
    person = await world.add_person()
    code = await code_of(world, person)
    for number in range(5):
        with pytest.raises(ResetCodeInvalid):
            await world.reset_password(
                person.email, "AAAA", NEW_PASSWORD, Origin(f"198.51.100.{number}")
            )
    world.clock.advance(minutes=15)

    with pytest.raises(ResetCodeInvalid):
        await world.reset_password(person.email, code, NEW_PASSWORD, ORIGIN)

    following = await code_of(world, person)
    await world.reset_password(person.email, following, NEW_PASSWORD, ORIGIN)


async def test_guessing_codes_is_throttled_as_guessing_passwords_is(world: AuthWorld) -> None:
    """Both count together."""
    person = await world.add_person()
    for _ in range(3):
        with pytest.raises(ResetCodeInvalid):
            await world.reset_password(person.email, "AAAA", NEW_PASSWORD, ORIGIN)

    with pytest.raises(LoginThrottled):
        await world.login(person.email, PASSWORD, ORIGIN)


async def test_the_code_of_another_person_does_not_work(world: AuthWorld) -> None:
    """A code belongs to an account."""
    person, stranger = await world.add_person(), await world.add_person()
    code = await code_of(world, person)
    await code_of(world, stranger)

    with pytest.raises(ResetCodeInvalid):
        await world.reset_password(stranger.email, code, NEW_PASSWORD, ORIGIN)


async def test_asking_does_the_same_for_known_and_unknown_addresses(world: AuthWorld) -> None:
    """Who has an account is found out later, where nobody is waiting."""
    person = await world.add_person()

    await world.request_reset(person.email, ORIGIN)
    await world.request_reset("nobody@example.com", ORIGIN)

    tables = world.store.tables
    assert len(tables.reset_requests) == 2
    assert not tables.mails
    assert not tables.password_resets
    assert world.recorder.reset_requests == 2
    await world.send_all_mail()
    assert [mail.recipient for mail in world.mailer.sent.values()] == [person.email]


@pytest.mark.parametrize("status", [CredentialStatus.INVITED, CredentialStatus.DEACTIVATED])
async def test_people_without_access_get_no_code(
    world: AuthWorld, status: CredentialStatus
) -> None:
    """A reset is no way around an invitation or a deactivation."""
    person = await world.add_person(status=status)

    assert await mails_after_asking(world, person.email) == []


async def test_deactivation_and_a_changed_password_end_a_code(world: AuthWorld) -> None:
    """What was asked for before doesn't work afterwards."""
    gone, changed = await world.add_person(), await world.add_person()
    codes = [await code_of(world, person) for person in (gone, changed)]
    await world.login(changed.email, PASSWORD, ORIGIN)
    owner = SessionOwner(changed.user_id, list(world.store.tables.sessions)[-1], ORIGIN)

    await world.apply_change(a_change(gone, version=2, active=False))
    await world.change_password(owner, PASSWORD, NEW_PASSWORD)

    for person, code in zip((gone, changed), codes, strict=True):
        with pytest.raises(ResetCodeInvalid):
            await world.reset_password(person.email, code, "yet another password", ORIGIN)


async def test_a_request_that_nobody_answered_in_time_brings_no_mail(world: AuthWorld) -> None:
    """Its sender has given up, or asked again."""
    person = await world.add_person()
    await world.request_reset(person.email, ORIGIN)
    world.clock.now += LIFETIMES.password_reset

    await world.send_all_mail()

    assert not world.mailer.sent


async def test_asking_is_throttled_per_account_and_address(world: AuthWorld) -> None:
    """For unknown addresses alike; logging in goes on."""
    person = await world.add_person()
    for email in (person.email, "nobody@example.com"):
        for _ in range(3):
            await world.request_reset(email, ORIGIN)
        with pytest.raises(LoginThrottled) as throttled:
            await world.request_reset(email, ORIGIN)
        assert throttled.value.retry_after_s == 300

    assert (await world.login(person.email, PASSWORD, ORIGIN)).user_id == person.user_id


async def test_a_weak_password_uses_nothing_up(world: AuthWorld) -> None:
    """The code goes on working."""
    person = await world.add_person()
    code = await code_of(world, person)

    for weak in ("short", person.email):
        with pytest.raises(PasswordTooWeak):
            await world.reset_password(person.email, code, weak, ORIGIN)

    await world.reset_password(person.email, code, NEW_PASSWORD, ORIGIN)


async def test_only_the_right_code_tells_that_a_name_is_too_weak(world: AuthWorld) -> None:
    """Else the refusal would tell strangers whose address it is."""
    person = await world.add_person(display_name="Augusta Byron")
    code = await code_of(world, person)
    named = "byron augusta augusta"

    with pytest.raises(ResetCodeInvalid):
        await world.reset_password(person.email, "AAAA", named, ORIGIN)
    with pytest.raises(PasswordTooWeak):
        await world.reset_password(person.email, code, named, ORIGIN)

    await world.reset_password(person.email, code, NEW_PASSWORD, ORIGIN)


async def test_the_store_keeps_no_code_that_works(world: AuthWorld) -> None:
    """Whoever reads the database can't set anybody's password."""
    person = await world.add_person()
    code = await code_of(world, person)

    (reset,) = world.store.tables.password_resets.values()

    assert code.encode() not in reset.digest
    assert "digest" not in repr(reset)


async def test_people_are_written_to_in_their_language(world: AuthWorld) -> None:
    """In plain text and in HTML, both with the code."""
    person = await world.add_person(language=Language.PORTUGUESE)

    (mail,) = await mails_after_asking(world, person.email)

    code = dict(mail.headers)[RESET_CODE_HEADER]
    assert "palavra-passe" in mail.subject
    for body in (mail.text, mail.html):
        assert code in body
        assert person.email in body
        assert "$" not in body
    assert '<html lang="pt">' in mail.html
