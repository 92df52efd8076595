"""What every store does with mails and signing keys."""

import asyncio
import uuid
from datetime import timedelta

from services.auth.domain.keys import SigningKey
from services.auth.domain.mails import Mail
from services.auth.ports import Store
from tests.fixtures.auth_fakes import START
from tests.fixtures.auth_world import a_credential

LEASE = timedelta(minutes=1)


async def queued(store: Store, delay: timedelta = timedelta(0)) -> tuple[uuid.UUID, Mail]:
    """Queue a mail to somebody."""
    person = a_credential()
    mail = Mail(
        mail_id=uuid.uuid4(),
        recipient=person.email,
        subject="Grüße",
        text="A secret: 42\n",
        html="<p>A secret: 42</p>",
        headers=(("X-Code", "42"),),
        expires_at=START + timedelta(days=7),
    )
    async with store.transaction() as tx:
        await tx.credentials.save(person, START)
        await tx.mails.add(mail, person.user_id, START + delay)
    return person.user_id, mail


async def test_mails_are_leased_in_the_order_in_which_they_are_due(store: Store) -> None:
    """Each as it was queued, and counted."""
    _, second = await queued(store, timedelta(seconds=1))
    _, first = await queued(store)
    now = START + timedelta(seconds=1)

    async with store.transaction() as tx:
        leased = [await tx.mails.lease(now, LEASE) for _ in range(3)]

    assert [entry and entry.mail for entry in leased] == [first, second, None]
    assert [entry.attempts for entry in leased if entry] == [1, 1]


async def test_a_leased_mail_comes_back_after_the_lease(store: Store) -> None:
    """Unless it was removed."""
    _, mail = await queued(store)
    async with store.transaction() as tx:
        await tx.mails.lease(START, LEASE)
        assert await tx.mails.lease(START, LEASE) is None

    async with store.transaction() as tx:
        again = await tx.mails.lease(START + LEASE, LEASE)
        assert again is not None
        assert (again.mail, again.attempts) == (mail, 2)
        await tx.mails.remove(mail.mail_id)
        assert await tx.mails.lease(START + 2 * LEASE, LEASE) is None


async def test_a_postponed_mail_waits(store: Store) -> None:
    """Until it is due again."""
    _, mail = await queued(store)
    later = START + timedelta(minutes=5)
    async with store.transaction() as tx:
        await tx.mails.lease(START, LEASE)
        await tx.mails.postpone(mail.mail_id, later)
        assert await tx.mails.lease(START + LEASE, LEASE) is None
        assert await tx.mails.lease(later, LEASE) is not None


async def test_withdrawn_mail_is_not_leased(store: Store) -> None:
    """Other people's is."""
    user_id, _ = await queued(store)
    _, other = await queued(store)

    async with store.transaction() as tx:
        await tx.mails.withdraw(user_id)
        leased = [await tx.mails.lease(START, LEASE) for _ in range(2)]

    assert [entry and entry.mail for entry in leased] == [other, None]


async def test_no_mail_is_leased_to_two(store: Store) -> None:
    """Replicas that look at the same time get different mails, or none."""
    mails = [(await queued(store))[1] for _ in range(4)]

    async def lease() -> Mail | None:
        async with store.transaction() as tx:
            entry = await tx.mails.lease(START, LEASE)
            await asyncio.sleep(0.01)
            return entry.mail if entry else None

    leased = await asyncio.gather(*(lease() for _ in range(6)))

    got = [mail for mail in leased if mail is not None]
    assert {mail.mail_id for mail in got} <= {mail.mail_id for mail in mails}
    assert len(got) == len({mail.mail_id for mail in got})


async def test_keys_are_published_until_their_time(store: Store) -> None:
    """Oldest first, private halves and all; afterwards they are forgotten."""
    until = START + timedelta(days=1)
    old = SigningKey("old", b"p" * 32, b"q" * 32, START)
    new = SigningKey("new", b"r" * 32, b"s" * 32, START + timedelta(minutes=10))
    async with store.transaction() as tx:
        await tx.signing_keys.save(new)
        await tx.signing_keys.save(old)
        assert await tx.signing_keys.list_published(START) == [old, new]
        await tx.signing_keys.save(old.superseded(until))

    async with store.transaction() as tx:
        await tx.signing_keys.prune(START)
        before = await tx.signing_keys.list_published(until - timedelta(seconds=1))
        after = await tx.signing_keys.list_published(until)
        await tx.signing_keys.prune(until)
        kept = await tx.signing_keys.list_published(START)

    assert before == [old.superseded(until), new]
    assert after == kept == [new]


async def test_exclusive_work_is_done_by_one_at_a_time(store: Store) -> None:
    """Others wait for it."""
    running = 0

    async def work() -> None:
        nonlocal running
        async with store.transaction() as tx:
            await tx.exclude_others("work")
            running += 1
            assert running == 1
            await asyncio.sleep(0.005)
            running -= 1

    await asyncio.gather(*(work() for _ in range(4)))

    async with store.transaction() as tx:
        assert await tx.try_exclude_others("work")
