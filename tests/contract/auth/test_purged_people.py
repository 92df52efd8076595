"""What every store knows of people who were erased."""

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

from services.auth.domain.credentials import PURGED_KEPT
from services.auth.ports import Store
from services.auth.usecases.opening import SessionOpener
from services.auth.usecases.people import ApplyPersonChange
from tests.fixtures.auth_fakes import START, FakeClock, FakeRevocationHint, FakeTokenIssuer
from tests.fixtures.auth_world import LIFETIMES, SESSIONS_MAX, a_change


async def test_who_was_erased_is_known_for_a_while(store: Store) -> None:
    """As long as something may come late, however often it is said."""
    gone, other = uuid.uuid4(), uuid.uuid4()
    async with store.transaction() as tx:
        await tx.purged_people.add(gone, START)
        await tx.purged_people.add(gone, START + timedelta(days=1))

    async with store.transaction() as tx:
        await tx.purged_people.prune(START - timedelta(seconds=1))
        assert await tx.purged_people.includes(gone)
        assert not await tx.purged_people.includes(other)
        await tx.purged_people.prune(START)
        assert not await tx.purged_people.includes(gone)


async def test_an_erasure_wins_against_what_comes_beside_it(store: Store) -> None:
    """Nobody is left of whom the first and the last word arrive in the same moment."""
    clock = FakeClock()
    opener = SessionOpener(FakeTokenIssuer(clock), LIFETIMES, clock, uuid.uuid4, SESSIONS_MAX)
    apply_change = ApplyPersonChange(store, opener, FakeRevocationHint())
    people = [a_change() for _ in range(12)]

    await asyncio.gather(
        *(
            apply_change(change)
            for first in people
            for change in (first, replace(first, event_id=uuid.uuid4(), version=2, purged=True))
        )
    )

    async with store.transaction() as tx:
        for person in people:
            assert await tx.credentials.find(person.user_id) is None
            assert await tx.purged_people.includes(person.user_id)
    assert timedelta(days=30) < PURGED_KEPT
