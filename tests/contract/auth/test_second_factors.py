"""What every store does with authenticators and backup codes."""

import uuid
from dataclasses import replace

import sqlalchemy as sa

from services.auth.domain.totp import Totp, new_totp
from services.auth.ports import Store
from services.auth.storage.store import PostgresStore
from services.auth.storage.tables import TOTPS
from services.auth.storage.vault import Vault
from services.chassis.database import Database
from tests.fixtures.auth_fakes import START
from tests.fixtures.auth_world import a_credential


async def enrolled(store: Store) -> Totp:
    """Store an authenticator of somebody new, with two backup codes."""
    person = a_credential()
    totp = new_totp(person.user_id)
    async with store.transaction() as tx:
        await tx.credentials.save(person, START)
        await tx.second_factors.save(totp)
        await tx.second_factors.replace_backup_codes(person.user_id, [b"first", b"second"])
    return totp


async def test_an_authenticator_is_kept_as_it_changes(store: Store) -> None:
    """And is nobody else's."""
    totp = await enrolled(store)
    used = replace(totp, confirmed_at=START, last_step=59_000_000, failures=2)

    async with store.transaction() as tx:
        assert await tx.second_factors.find(totp.user_id) == totp
        await tx.second_factors.save(used)
        assert await tx.second_factors.find(totp.user_id) == used
        assert await tx.second_factors.find(uuid.uuid4()) is None


async def test_a_backup_code_is_used_once_by_its_owner(store: Store) -> None:
    """New ones replace those that are left."""
    totp, other = await enrolled(store), await enrolled(store)

    async with store.transaction() as tx:
        factors = tx.second_factors
        assert await factors.use_backup_code(totp.user_id, b"first")
        assert not await factors.use_backup_code(totp.user_id, b"first")
        assert await factors.use_backup_code(other.user_id, b"first")
        await factors.replace_backup_codes(totp.user_id, [b"third"])
        assert not await factors.use_backup_code(totp.user_id, b"second")
        assert await factors.use_backup_code(totp.user_id, b"third")


async def test_what_was_removed_is_gone(store: Store) -> None:
    """Authenticator and codes; others' stay."""
    totp, other = await enrolled(store), await enrolled(store)

    async with store.transaction() as tx:
        await tx.second_factors.remove(totp.user_id)
        assert await tx.second_factors.find(totp.user_id) is None
        assert not await tx.second_factors.use_backup_code(totp.user_id, b"first")
        assert await tx.second_factors.find(other.user_id) == other


async def test_a_dump_of_the_database_shows_no_secret(database: Database) -> None:
    """It is sealed."""
    totp = await enrolled(PostgresStore(database, Vault("a" * 32)))

    async with database.engine.connect() as connection:
        row = (await connection.execute(sa.select(TOTPS))).one()

    assert totp.secret not in row.sealed_secret
