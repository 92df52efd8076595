"""Keys, mail and pruning, on fakes."""

from datetime import timedelta

import pytest

from services.auth.domain import keys
from services.auth.ports.mails import MailUndeliverable
from tests.fixtures.auth_world import (
    LIFETIMES,
    ORIGIN,
    PASSWORD,
    ROTATION,
    AuthWorld,
    a_change,
)


async def published(world: AuthWorld) -> list[str]:
    """Name the keys in the key set now."""
    async with world.store.transaction() as tx:
        return [key.kid for key in await tx.signing_keys.list_published(world.clock())]


async def signer(world: AuthWorld) -> str:
    """Name the key that signs now."""
    async with world.store.transaction() as tx:
        return keys.signer(await tx.signing_keys.list_published(world.clock()), world.clock()).kid


async def test_the_first_key_signs_at_once(world: AuthWorld) -> None:
    """There is nobody who knows another."""
    await world.rotate_keys.ensure_first()
    await world.rotate_keys.ensure_first()

    assert await published(world) == ["key-1"]
    assert await signer(world) == "key-1"


async def test_a_new_key_is_published_before_it_signs(world: AuthWorld) -> None:
    """Whoever verifies has read it twice by then."""
    await world.rotate_keys.ensure_first()
    fresh = await world.rotate_keys.rotate()

    assert fresh.signs_from == world.clock() + ROTATION.overlap
    assert await published(world) == ["key-1", "key-2"]
    assert await signer(world) == "key-1"
    world.clock.now += ROTATION.overlap
    assert await signer(world) == "key-2"


async def test_an_old_key_is_published_until_its_last_token_has_expired(world: AuthWorld) -> None:
    """The last token may be a device's, signed just before the new key took over."""
    await world.rotate_keys.ensure_first()
    await world.rotate_keys.rotate()

    world.clock.now += ROTATION.overlap + LIFETIMES.device_token
    assert await published(world) == ["key-1", "key-2"]
    world.clock.now += timedelta(minutes=2)
    assert await published(world) == ["key-2"]


async def test_rotating_twice_makes_one_new_key(world: AuthWorld) -> None:
    """Until it signs, the next key is the next key."""
    await world.rotate_keys.ensure_first()

    assert await world.rotate_keys.rotate() == await world.rotate_keys.rotate()

    assert world.keys.made == 2


async def test_keys_rotate_by_themselves(world: AuthWorld) -> None:
    """Once per interval, not before."""
    await world.rotate_keys.ensure_first()
    await world.rotate_keys.rotate_if_due()
    assert world.keys.made == 1

    world.clock.now += ROTATION.interval
    await world.rotate_keys.rotate_if_due()
    await world.rotate_keys.rotate_if_due()
    assert world.keys.made == 2


async def test_mail_that_could_not_be_sent_is_sent_later(world: AuthWorld) -> None:
    """A failure postpones it, and it arrives once."""
    await world.apply_change(a_change())
    world.mailer.failing = True
    with pytest.raises(OSError, match="full"):
        await world.send_mail.send_next()
    world.mailer.failing = False

    assert not await world.send_mail.send_next()
    world.clock.advance(minutes=10)
    assert await world.send_mail.send_next()
    assert not await world.send_mail.send_next()
    assert len(world.mailer.sent) == 1


async def test_mail_that_is_refused_for_good_is_dropped(world: AuthWorld) -> None:
    """Trying again would hold others up and change nothing."""
    await world.apply_change(a_change())
    world.mailer.refusing = True

    with pytest.raises(MailUndeliverable):
        await world.send_mail.send_next()

    assert not world.store.tables.mails
    assert not await world.send_mail.send_next()


async def test_mail_of_somebody_who_died_while_sending_is_sent_again(world: AuthWorld) -> None:
    """The lease ends, and the mailer knows the mail by its id."""
    await world.apply_change(a_change())
    async with world.store.transaction() as tx:
        queued = await tx.mails.lease(world.clock(), timedelta(minutes=1))
    assert queued is not None
    await world.mailer.send(queued.mail)

    assert not await world.send_mail.send_next()
    world.clock.advance(minutes=1)
    assert await world.send_mail.send_next()
    assert len(world.mailer.sent) == 1


async def test_an_invitation_that_has_expired_is_not_sent(world: AuthWorld) -> None:
    """A code that doesn't work would only annoy."""
    await world.apply_change(a_change())
    world.clock.now += LIFETIMES.invitation

    assert await world.send_mail.send_next()

    assert not world.mailer.sent
    assert not world.store.tables.mails


async def test_pruning_keeps_what_matters(world: AuthWorld) -> None:
    """A session in use stays with its spent tokens, so that their reuse is noticed."""
    await world.rotate_keys.ensure_first()
    person = await world.add_person()
    grant = await world.login(person.email, PASSWORD, ORIGIN)
    await world.refresh(grant.refresh_token, ORIGIN)
    await world.apply_change(a_change())

    await world.prune()

    tables = world.store.tables
    assert len(tables.sessions) == 1
    assert len(tables.refresh_tokens) == 2
    assert len(tables.invitations) == 1
    assert len(tables.signing_keys) == 1


async def test_pruning_forgets_what_is_over(world: AuthWorld) -> None:
    """Nothing grows for ever."""
    person = await world.add_person()
    await world.login(person.email, PASSWORD, ORIGIN)
    (session_id,) = world.store.tables.sessions
    await world.logout(session_id)
    await world.apply_change(a_change())
    world.clock.now += LIFETIMES.refresh_token

    await world.prune()

    tables = world.store.tables
    assert not tables.sessions
    assert not tables.refresh_tokens
    assert not tables.invitations
    assert not tables.revocations
    assert not tables.buckets


async def test_sessions_and_active_people_are_counted(world: AuthWorld) -> None:
    """A session counts until it ends; a person while their session was used just now."""
    first, second = await world.add_person(), await world.add_person()
    await world.login(first.email, PASSWORD, ORIGIN)
    world.clock.advance(minutes=16)
    await world.login(second.email, PASSWORD, ORIGIN)
    await world.login(second.email, PASSWORD, ORIGIN)
    ended = list(world.store.tables.sessions)[-1]
    await world.logout(ended)

    counts = await world.count_sessions()

    assert (counts.open_sessions, counts.active_users) == (2, 1)
