"""What every store does with addresses that people are to have."""

import uuid
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from services.auth.domain.email_changes import EmailChange
from services.auth.ports import Store
from services.auth.storage.store import PostgresStore
from services.auth.storage.tables import EMAIL_CHANGES
from services.auth.storage.vault import Vault
from services.chassis.database import Database
from tests.fixtures.auth_fakes import START
from tests.fixtures.auth_world import a_credential

LATER = START + timedelta(minutes=30)
LEASE = timedelta(seconds=30)


async def asked(store: Store) -> EmailChange:
    """Store the wish of somebody new."""
    person = a_credential()
    change = EmailChange(person.user_id, person.email, "new@example.com", b"digest", LATER)
    async with store.transaction() as tx:
        await tx.credentials.save(person, START)
        await tx.email_changes.save(change)
    return change


async def test_a_change_is_kept_and_replaced(store: Store) -> None:
    """There is one a person."""
    change = await asked(store)
    following = replace(change, to_email="newer@example.com", digest=b"other", failures=0)

    async with store.transaction() as tx:
        await tx.email_changes.count_failure(change.user_id)
        assert await tx.email_changes.lock(change.user_id) == replace(change, failures=1)
        await tx.email_changes.save(following)
        assert await tx.email_changes.lock(change.user_id) == following
        await tx.email_changes.remove(change.user_id)
        assert await tx.email_changes.lock(change.user_id) is None
        await tx.email_changes.count_failure(uuid.uuid4())


async def test_what_was_proven_is_leased_until_it_is_removed(store: Store) -> None:
    """To one at a time, the oldest first; what was not proven is nobody's."""
    await asked(store)
    changes = [await asked(store) for _ in range(2)]
    proven = [change.proven(START + n * LEASE / 2) for n, change in enumerate(changes)]
    now = START + LEASE

    async with store.transaction() as tx:
        for change in proven:
            await tx.email_changes.save(change)
        leased = [await tx.email_changes.lease_proven(now, LEASE) for _ in range(3)]
        assert leased == [*proven, None]
        assert await tx.email_changes.lease_proven(now + LEASE, LEASE) in proven
        await tx.email_changes.remove(proven[0].user_id)
        await tx.email_changes.remove(proven[1].user_id)
        assert await tx.email_changes.lease_proven(now + 3 * LEASE, LEASE) is None


async def test_what_expired_before_it_was_proven_is_forgotten(store: Store) -> None:
    """The rest is still to be carried out."""
    expired, proven = await asked(store), await asked(store)

    async with store.transaction() as tx:
        await tx.email_changes.save(proven.proven(START))
        await tx.email_changes.prune(LATER)
        assert await tx.email_changes.lock(expired.user_id) is None
        assert await tx.email_changes.lock(proven.user_id) is not None


async def test_a_change_goes_with_its_person(store: Store) -> None:
    """Nothing of the erased is left."""
    change = await asked(store)

    async with store.transaction() as tx:
        await tx.credentials.remove(change.user_id)
        assert await tx.email_changes.lock(change.user_id) is None


async def test_addresses_are_sealed(database: Database) -> None:
    """A dump of the database shows none."""
    await asked(PostgresStore(database, Vault("a" * 32)))

    async with database.transaction() as session:
        sealed = await session.scalar(sa.select(EMAIL_CHANGES.c.sealed_emails))

    assert sealed
    assert b"example.com" not in sealed
