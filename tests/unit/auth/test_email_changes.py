"""Changing addresses and proving to read them, on fakes."""

import uuid

import pytest

from services.auth.domain.credentials import Credential, CredentialStatus
from services.auth.domain.email_changes import EmailCodeInvalid, EmailTaken
from services.auth.domain.errors import CredentialsInvalid, LoginThrottled, ResetCodeInvalid
from services.auth.domain.mails import EMAIL_CODE_HEADER, RESET_CODE_HEADER, Mail
from services.auth.usecases.passwords import SessionOwner
from services.chassis.errors import EditConflict, TokenRevoked, Unavailable
from tests.fixtures.auth_world import LIFETIMES, ORIGIN, PASSWORD, AuthWorld, a_change

NEW = "new@example.com"


async def sent(world: AuthWorld) -> list[Mail]:
    """Send what is due; return what has been sent so far."""
    await world.send_all_mail()
    return list(world.mailer.sent.values())


async def requested(world: AuthWorld, email: str = NEW) -> tuple[Credential, str]:
    """Have somebody ask for another address; return them and the code."""
    person = await world.add_person()
    await ask(world, person, email)
    mail = (await sent(world))[-1]
    assert mail.recipient == email.lower()
    return person, dict(mail.headers)[EMAIL_CODE_HEADER]


async def ask(world: AuthWorld, person: Credential, email: str, password: str = PASSWORD) -> None:
    """Ask for another address."""
    owner = SessionOwner(person.user_id, uuid.uuid4(), ORIGIN)
    await world.request_email_change(owner, email, password)


async def test_a_code_from_the_new_address_changes_it(world: AuthWorld) -> None:
    """The one before is told; the login follows when users says so."""
    person, code = await requested(world, "New@Example.com")

    await world.confirm_email(person.user_id, f" {code.lower().replace('-', ' ')}")

    assert world.book.emails == {person.user_id: NEW}
    notice = (await sent(world))[-1]
    assert notice.recipient == person.email
    assert NEW in notice.text
    assert not world.store.tables.email_changes
    await world.apply_change(a_change(person, version=2, email=NEW))
    assert (await world.login(NEW, PASSWORD, ORIGIN)).user_id == person.user_id


async def test_a_code_works_once(world: AuthWorld) -> None:
    """There is nothing left that it could change."""
    person, code = await requested(world)
    await world.confirm_email(person.user_id, code)

    with pytest.raises(EmailCodeInvalid):
        await world.confirm_email(person.user_id, code)


async def test_a_code_expires(world: AuthWorld) -> None:
    """And is forgotten then."""
    person, code = await requested(world)
    world.clock.now += LIFETIMES.password_reset

    with pytest.raises(EmailCodeInvalid):
        await world.confirm_email(person.user_id, code)
    await world.prune()
    assert not world.store.tables.email_changes
    assert world.recorder.failures == ["email_code_invalid"]


async def test_guesses_use_a_code_up(world: AuthWorld) -> None:
    """Five of them."""
    person, code = await requested(world)
    for _ in range(5):
        with pytest.raises(EmailCodeInvalid):
            await world.confirm_email(person.user_id, "AAAA-AAAA")

    with pytest.raises(EmailCodeInvalid):
        await world.confirm_email(person.user_id, code)


async def test_a_code_is_its_owners(world: AuthWorld) -> None:
    """Somebody else's session can't use it."""
    _, code = await requested(world)
    stranger = await world.add_person()

    with pytest.raises(EmailCodeInvalid):
        await world.confirm_email(stranger.user_id, code)


async def test_asking_takes_the_password(world: AuthWorld) -> None:
    """A stolen session doesn't give the account away, and guessing is throttled."""
    person = await world.add_person()
    for _ in range(3):
        with pytest.raises(CredentialsInvalid):
            await ask(world, person, NEW, "not the password")

    with pytest.raises(LoginThrottled):
        await ask(world, person, NEW)
    assert await sent(world) == []


async def test_asking_is_throttled(world: AuthWorld) -> None:
    """Nobody floods other people's mailboxes; logging in goes on."""
    person = await world.add_person()
    for number in range(3):
        await ask(world, person, f"victim{number}@example.com")

    with pytest.raises(LoginThrottled):
        await ask(world, person, "victim@example.com")
    with pytest.raises(LoginThrottled):
        await world.request_email_verification(person.user_id, ORIGIN)
    assert (await world.login(person.email, PASSWORD, ORIGIN)).user_id == person.user_id


async def test_many_accounts_fill_nobodys_mailbox(world: AuthWorld) -> None:
    """What is asked for counts for who gets the mail, too."""
    for _ in range(5):
        await ask(world, await world.add_person(), "victim@example.com")

    with pytest.raises(LoginThrottled):
        await ask(world, await world.add_person(), "Victim@example.com")
    await ask(world, await world.add_person(), NEW)


async def test_a_taken_address_is_told_once_it_was_proven(world: AuthWorld) -> None:
    """Before, asking for it is like asking for any other."""
    world.book.taken.add(NEW)
    person, code = await requested(world)

    with pytest.raises(EmailTaken):
        await world.confirm_email(person.user_id, code)

    assert not world.store.tables.email_changes
    assert len(await sent(world)) == 1


async def test_the_present_address_can_be_verified(world: AuthWorld) -> None:
    """Without a notice, since nothing has changed."""
    person = await world.add_person()
    await world.request_email_verification(person.user_id, ORIGIN)
    (mail,) = await sent(world)
    assert mail.recipient == person.email

    await world.confirm_email(person.user_id, dict(mail.headers)[EMAIL_CODE_HEADER])

    assert world.book.emails == {person.user_id: person.email}
    assert len(await sent(world)) == 1


async def test_an_accepted_invitation_verifies_the_address(world: AuthWorld) -> None:
    """Its code came by mail; users is told even if it was away."""
    change = a_change()
    await world.apply_change(change)
    world.book.away = True
    await world.accept_invitation(await world.invitation_code(), PASSWORD, ORIGIN)
    with pytest.raises(Unavailable):
        await world.carry_out_email_changes.carry_out_next()
    world.book.away = False
    assert not await world.carry_out_email_changes.carry_out_next()
    world.clock.advance(minutes=1)

    assert await world.carry_out_email_changes.carry_out_next()

    assert world.book.emails == {change.user_id: change.email}
    assert not world.store.tables.email_changes


@pytest.mark.parametrize("how", ["away", "answer_lost"])
async def test_what_was_proven_is_carried_out_whatever_happens(world: AuthWorld, how: str) -> None:
    """Users may be away, or be told without our learning so: one change, one notice."""
    person, code = await requested(world)
    setattr(world.book, how, True)
    with pytest.raises(Unavailable):
        await world.confirm_email(person.user_id, code)
    with pytest.raises(EditConflict):
        await ask(world, person, "another@example.com")
    setattr(world.book, how, False)
    world.clock.advance(hours=1)
    await world.prune()

    assert await world.carry_out_email_changes.carry_out_next()

    assert not await world.carry_out_email_changes.carry_out_next()
    assert world.book.emails == {person.user_id: NEW}
    assert [mail.recipient for mail in await sent(world)] == [NEW, person.email]


async def test_the_same_code_again_carries_on(world: AuthWorld) -> None:
    """A client that got no answer may ask again."""
    person, code = await requested(world)
    world.book.answer_lost = True
    with pytest.raises(Unavailable):
        await world.confirm_email(person.user_id, code)
    world.book.answer_lost = False

    await world.confirm_email(person.user_id, code)

    assert [mail.recipient for mail in await sent(world)] == [NEW, person.email]


async def test_what_can_no_longer_be_done_is_forgotten(world: AuthWorld) -> None:
    """The person is gone, or has another address."""
    gone, first = await requested(world)
    moved, second = await requested(world)
    world.book.gone.add(gone.user_id)
    world.book.emails[moved.user_id] = "elsewhere@example.com"

    with pytest.raises(TokenRevoked):
        await world.confirm_email(gone.user_id, first)
    with pytest.raises(EditConflict):
        await world.confirm_email(moved.user_id, second)

    assert not world.store.tables.email_changes


async def test_whoever_has_no_access_proves_nothing(world: AuthWorld) -> None:
    """Their tokens are about to stop working."""
    person, code = await requested(world)
    await world.apply_change(a_change(person, version=2, active=False))

    with pytest.raises(EmailCodeInvalid):
        await world.confirm_email(person.user_id, code)
    with pytest.raises(CredentialsInvalid):
        await world.request_email_verification(person.user_id, ORIGIN)
    invited = await world.add_person(status=CredentialStatus.INVITED, password_hash=None)
    with pytest.raises(CredentialsInvalid):
        await ask(world, invited, NEW)


async def test_a_new_address_ends_codes_that_went_to_the_old_one(world: AuthWorld) -> None:
    """Whoever reads that mailbox can't set the password any more."""
    person = await world.add_person()
    await world.request_reset(person.email, ORIGIN)
    (mail,) = await sent(world)
    code = dict(mail.headers)[RESET_CODE_HEADER]

    await world.apply_change(a_change(person, version=2, email=NEW))

    with pytest.raises(ResetCodeInvalid):
        await world.reset_password(NEW, code, "quite another password", ORIGIN)


async def test_the_store_keeps_no_code_that_works(world: AuthWorld) -> None:
    """Nor shows addresses."""
    _, code = await requested(world)

    (change,) = world.store.tables.email_changes.values()

    assert code.encode() not in change.digest
    assert "example.com" not in repr(change)
    assert "digest" not in repr(change)
