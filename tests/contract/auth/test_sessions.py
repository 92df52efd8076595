"""What every store does with sessions and refresh tokens."""

import asyncio
import uuid
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.auth.domain.sessions import Origin, RefreshToken, Session
from services.auth.ports import Store
from services.auth.storage.store import PostgresStore
from services.auth.storage.tables import SESSIONS
from services.auth.storage.vault import Vault
from services.chassis.database import Database
from tests.fixtures.auth_fakes import START
from tests.fixtures.auth_world import a_credential

END = START + timedelta(days=90)
ORIGIN = Origin("192.0.2.1", "Mozilla/5.0 \u00fc")


def token_of(session: Session, expires_at: datetime = END) -> RefreshToken:
    """Make a refresh token of a session."""
    return RefreshToken(uuid.uuid4().bytes, session.session_id, expires_at)


async def opened(
    store: Store, user_id: uuid.UUID | None = None, address: bytes = b"home"
) -> tuple[Session, RefreshToken]:
    """Store a session of somebody, somebody new by default."""
    person = a_credential()
    session = Session(
        uuid.uuid4(), user_id or person.user_id, address, START, START, END, None, ORIGIN
    )
    token = token_of(session)
    async with store.transaction() as tx:
        if user_id is None:
            await tx.credentials.save(person, START)
        await tx.sessions.add(session, token)
    return session, token


async def test_a_session_is_found_by_its_id_and_its_token(store: Store) -> None:
    """Both as they were stored."""
    session, token = await opened(store)

    async with store.transaction() as tx:
        assert await tx.sessions.lock(session.session_id) == session
        assert await tx.sessions.lock_by_token(token.digest) == (session, token)


async def test_unknown_sessions_are_none(store: Store) -> None:
    """Nothing is made up."""
    async with store.transaction() as tx:
        assert await tx.sessions.lock(uuid.uuid4()) is None
        assert await tx.sessions.lock_by_token(b"unknown") is None


async def test_a_rotated_token_is_found_as_used(store: Store) -> None:
    """Beside its successor, so that its reuse is noticed."""
    session, token = await opened(store)
    fresh = token_of(session)

    async with store.transaction() as tx:
        await tx.sessions.rotate(token.used(START), fresh)

    async with store.transaction() as tx:
        assert await tx.sessions.lock_by_token(token.digest) == (session, token.used(START))
        assert await tx.sessions.lock_by_token(fresh.digest) == (session, fresh)


async def test_of_parallel_rotations_each_sees_the_ones_before(store: Store) -> None:
    """One finds the token fresh, whoever comes first; the store decides."""
    session, token = await opened(store)

    async def rotate() -> bool:
        async with store.transaction() as tx:
            found = await tx.sessions.lock_by_token(token.digest)
            assert found is not None
            was_fresh = found[1].used_at is None
            await asyncio.sleep(0.01)
            if was_fresh:
                await tx.sessions.rotate(found[1].used(START), token_of(session))
            return was_fresh

    assert sum(await asyncio.gather(*(rotate() for _ in range(5)))) == 1


async def test_sessions_end_together(store: Store) -> None:
    """Those that are named, and no others."""
    first, _ = await opened(store)
    second, _ = await opened(store, first.user_id)
    kept, _ = await opened(store, first.user_id)

    async with store.transaction() as tx:
        assert await tx.sessions.count_open(first.user_id) == 3
        await tx.sessions.end([], START)
        await tx.sessions.end([first, second], START + timedelta(minutes=5))

    async with store.transaction() as tx:
        assert await tx.sessions.count_open(first.user_id) == 1
        assert await tx.sessions.lock_open(first.user_id) == [kept]
        ended = await tx.sessions.lock(second.session_id)
        assert ended == second.ended(START + timedelta(minutes=5))


async def test_ended_sessions_are_not_open(store: Store) -> None:
    """Nor are other people's."""
    first, _ = await opened(store)
    second, _ = await opened(store, first.user_id)
    await opened(store)

    async with store.transaction() as tx:
        both = await tx.sessions.lock_open(first.user_id)
        await tx.sessions.save(first.ended(START))
        assert await tx.sessions.lock_open(first.user_id) == [second]
        assert await tx.sessions.lock(first.session_id) == first.ended(START)
    assert {session.session_id for session in both} == {first.session_id, second.session_id}


async def test_addresses_are_remembered_as_long_as_sessions(store: Store) -> None:
    """Ended ones count too; other people's don't."""
    session, _ = await opened(store, address=b"home")
    other, _ = await opened(store, address=b"elsewhere")

    async with store.transaction() as tx:
        await tx.sessions.save(session.ended(START))
        assert await tx.sessions.was_opened_from(session.user_id, b"home")
        assert not await tx.sessions.was_opened_from(session.user_id, b"elsewhere")
        assert not await tx.sessions.was_opened_from(uuid.uuid4(), b"home")
        assert await tx.sessions.was_opened_from(other.user_id, b"elsewhere")


async def test_sessions_and_people_are_counted(store: Store) -> None:
    """Only those that can go on; a person with two sessions is one person."""
    first, _ = await opened(store)
    await opened(store, first.user_id)
    idle, _ = await opened(store)
    ended, _ = await opened(store)
    recent = START + timedelta(hours=1)
    async with store.transaction() as tx:
        await tx.sessions.save(first.used(ORIGIN, recent))
        await tx.sessions.save(ended.ended(START))
        before = START - timedelta(seconds=1)
        counts = await tx.sessions.count(before, START, recent)
        none_used = await tx.sessions.count(recent, recent, recent)
        all_over = await tx.sessions.count(before, before, END)

    assert (counts.open_sessions, counts.active_users) == (3, 1)
    assert (none_used.open_sessions, all_over.open_sessions) == (0, 0)
    assert idle.ended_at is None


async def test_pruning_forgets_expired_tokens_and_idle_sessions(store: Store) -> None:
    """A session in use stays, with those of its tokens that have not expired."""
    used, old_token = await opened(store)
    idle, idle_token = await opened(store)
    now = START + timedelta(days=15)
    expired = replace(token_of(used), expires_at=now)
    async with store.transaction() as tx:
        await tx.sessions.rotate(old_token.used(START), expired)
        await tx.sessions.save(used.used(ORIGIN, now))
        await tx.sessions.prune(START, now)

    async with store.transaction() as tx:
        assert await tx.sessions.lock(used.session_id)
        assert await tx.sessions.lock_by_token(old_token.digest)
        assert await tx.sessions.lock_by_token(expired.digest) is None
        assert await tx.sessions.lock(idle.session_id) is None
        assert await tx.sessions.lock_by_token(idle_token.digest) is None


async def test_a_session_remembers_where_it_was_last_used_from(store: Store) -> None:
    """A later use replaces it; sessions from before it was kept have none."""
    session, _ = await opened(store)
    moved = session.used(Origin("198.51.100.7"), START + timedelta(minutes=1))
    unknown = replace(session, session_id=uuid.uuid4(), origin=None)

    async with store.transaction() as tx:
        await tx.sessions.save(moved)
        await tx.sessions.add(unknown, token_of(unknown))

    async with store.transaction() as tx:
        assert await tx.sessions.lock(session.session_id) == moved
        assert await tx.sessions.lock(unknown.session_id) == unknown


async def test_live_sessions_are_listed_newest_first(store: Store) -> None:
    """Not those that have ended, weren't used for too long, or are somebody else's."""
    first, _ = await opened(store)
    sessions = [first] + [(await opened(store, first.user_id))[0] for _ in range(5)]
    await opened(store)
    sessions.sort(key=lambda session: session.session_id, reverse=True)
    now = START + timedelta(hours=1)
    async with store.transaction() as tx:
        await tx.sessions.save(sessions[1].ended(START))
        for session in (*sessions[:1], *sessions[2:5]):
            await tx.sessions.save(session.used(ORIGIN, now))

    async with store.transaction() as tx:
        page = await tx.sessions.list_live(first.user_id, None, 2, START, now)
        rest = await tx.sessions.list_live(first.user_id, page[-1].session_id, 9, START, now)
        over = await tx.sessions.list_live(first.user_id, None, 9, START, END)

    expected = [sessions[0], *sessions[2:5]]
    assert [session.session_id for session in (*page, *rest)] == [
        session.session_id for session in expected
    ]
    assert (len(page), over) == (2, [])


async def test_a_dump_of_the_database_shows_no_address(database: Database) -> None:
    """Where people are is sealed, like everything that tells of them."""
    await opened(PostgresStore(database, Vault("a" * 32)))

    async with database.engine.connect() as connection:
        row = (await connection.execute(sa.select(SESSIONS))).one()

    assert row.sealed_origin
    assert b"192.0.2.1" not in b"".join(value for value in row if isinstance(value, bytes))
