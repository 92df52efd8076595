"""What every store does with resets of passwords."""

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from services.auth.domain.credentials import Language
from services.auth.domain.resets import PasswordReset, ResetRequest
from services.auth.ports import Store
from services.auth.storage.store import PostgresStore
from services.auth.storage.tables import RESET_REQUESTS
from services.auth.storage.vault import Vault
from services.chassis.database import Database
from tests.fixtures.auth_fakes import START
from tests.fixtures.auth_world import a_credential

SOON = START + timedelta(minutes=30)


async def mailed(store: Store) -> PasswordReset:
    """Store a code of somebody new."""
    person = a_credential()
    reset = PasswordReset(person.user_id, b"digest", SOON)
    async with store.transaction() as tx:
        await tx.credentials.save(person, START)
        await tx.password_resets.save(reset)
    return reset


async def test_requests_are_taken_once_oldest_first(store: Store) -> None:
    """Each as it was made, whatever the address holds."""
    first = ResetRequest(uuid.uuid4(), "jörg\0@example.com", START)
    second = ResetRequest(uuid.uuid4(), "ada@example.com", START + timedelta(seconds=1))
    async with store.transaction() as tx:
        await tx.password_resets.ask(second)
        await tx.password_resets.ask(first)

    async with store.transaction() as tx:
        taken = [await tx.password_resets.take_request() for _ in range(3)]

    assert taken == [first, second, None]


async def test_no_request_is_taken_by_two(store: Store) -> None:
    """Replicas that look at the same time get different ones, or none."""
    async with store.transaction() as tx:
        for _ in range(3):
            await tx.password_resets.ask(ResetRequest(uuid.uuid4(), "ada@example.com", START))

    async def take() -> ResetRequest | None:
        async with store.transaction() as tx:
            request = await tx.password_resets.take_request()
            await asyncio.sleep(0.01)
            return request

    taken = [request for request in await asyncio.gather(*(take() for _ in range(5))) if request]

    assert len({request.request_id for request in taken}) == len(taken) > 0


async def test_a_code_is_kept_until_it_is_removed(store: Store) -> None:
    """With its failures; another one replaces it."""
    reset = await mailed(store)
    following = replace(reset, digest=b"another", expires_at=SOON + timedelta(minutes=1))

    async with store.transaction() as tx:
        assert await tx.password_resets.lock(reset.user_id) == reset
        await tx.password_resets.count_failure(reset.user_id)
        await tx.password_resets.count_failure(uuid.uuid4())
        assert await tx.password_resets.lock(reset.user_id) == replace(reset, failures=1)
        await tx.password_resets.save(following)
        assert await tx.password_resets.lock(reset.user_id) == following
        await tx.password_resets.remove(reset.user_id)
        assert await tx.password_resets.lock(reset.user_id) is None


async def test_expired_codes_are_forgotten(store: Store) -> None:
    """Others stay."""
    reset = await mailed(store)

    async with store.transaction() as tx:
        await tx.password_resets.prune(SOON - timedelta(seconds=1))
        assert await tx.password_resets.lock(reset.user_id) == reset
        await tx.password_resets.prune(SOON)
        assert await tx.password_resets.lock(reset.user_id) is None


async def test_languages_are_kept(store: Store) -> None:
    """A person is written to in theirs."""
    person = replace(a_credential(), language=Language.PORTUGUESE)

    async with store.transaction() as tx:
        await tx.credentials.save(person, START)
        assert await tx.credentials.find(person.user_id) == person


async def test_a_dump_of_the_database_shows_nobody_who_asked(database: Database) -> None:
    """The address is sealed."""
    async with PostgresStore(database, Vault("a" * 32)).transaction() as tx:
        await tx.password_resets.ask(ResetRequest(uuid.uuid4(), "ada@example.com", START))

    async with database.engine.connect() as connection:
        row = (await connection.execute(sa.select(RESET_REQUESTS))).one()

    assert b"ada@example.com" not in row.sealed_email
