"""The database as services use it, against a real PostgreSQL."""

import asyncio
import io
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.chassis.database import Database
from services.chassis.errors import DomainError, EditConflict, InvalidArgument, Kind, Unavailable
from services.chassis.logs import configure_logs, get_logger
from tests.fixtures.postgres import PostgresServer
from tests.integration.chassis.kettle import KettleSettings
from tests.integration.chassis.waiting import until, until_available

INSERT = sa.text("INSERT INTO kettles VALUES (:name, 1)")
COUNT = sa.text("SELECT count(*) FROM kettles")


class NameTaken(DomainError):
    """The test's own error for the test's own constraint."""

    kind = Kind.ALREADY_EXISTS
    reason = "NAME_TAKEN"


async def insert(database: Database, name: str, **options: Any) -> None:
    """Store a kettle."""
    async with database.transaction(**options) as session:
        await session.execute(INSERT, {"name": name})


async def count(database: Database) -> int:
    """Count the kettles."""
    async with database.transaction() as session:
        result = await session.execute(COUNT)
        return int(result.scalar_one())


async def test_transaction_commits_at_the_end_of_its_block(database: Database) -> None:
    """What a block did is there for others afterwards."""
    await insert(database, "big")
    assert await count(database) == 1


async def test_transaction_rolls_back_when_its_block_raises(database: Database) -> None:
    """What a block did before it raised never happened, and the error passes unchanged."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what raises
        async with database.transaction() as session:
            await session.execute(INSERT, {"name": "big"})
            raise ZeroDivisionError
    assert await count(database) == 0


async def test_violation_of_a_named_constraint_is_the_error_it_stands_for(
    database: Database,
) -> None:
    """Storage says which constraint means what, once."""
    await insert(database, "big")
    with pytest.raises(NameTaken):
        await insert(database, "big", constraints={"kettles_name_key": lambda: NameTaken("Taken.")})


async def test_violation_of_another_constraint_stays_what_it_is(database: Database) -> None:
    """A constraint that nobody foresaw is a mistake of ours."""
    await insert(database, "big")
    with pytest.raises(sa.exc.IntegrityError):
        await insert(database, "big")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged, as a service logs it."""
    root, out = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers, root.level
    configure_logs("kettle", "info", out)
    yield out
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


async def test_failures_do_not_repeat_what_was_stored(
    database: Database, logged: io.StringIO
) -> None:
    """What a statement carried stays out of what is logged of its failure."""
    secret = uuid.uuid4().hex
    await insert(database, secret)
    try:
        await insert(database, secret)
    except sa.exc.IntegrityError as err:
        get_logger("kettle").error("failed", exc_info=err)
    assert "kettles_name_key" in logged.getvalue()
    assert secret not in logged.getvalue()


async def test_text_that_can_not_be_stored_is_the_callers_mistake(database: Database) -> None:
    """PostgreSQL keeps no text with the character 0 in it."""
    with pytest.raises(InvalidArgument):
        await insert(database, "a\0b")


async def test_domain_error_passes_a_transaction_unchanged(database: Database) -> None:
    """What a use case raises is not mistaken for what it was raised from."""
    with pytest.raises(NameTaken):
        async with database.transaction():
            raise NameTaken("Taken.") from TimeoutError()


async def test_concurrent_edits_conflict(database: Database) -> None:
    """The transaction that comes second in a race is told so."""
    await insert(database, "big")
    update = sa.text("UPDATE kettles SET litres = litres + 1")
    with pytest.raises(EditConflict):  # noqa: PT012 - the block is what raises
        async with database.transaction(isolation="REPEATABLE READ") as slow:
            await slow.execute(COUNT)
            async with database.transaction() as quick:
                await quick.execute(update)
            await slow.execute(update)


async def test_isolation_ends_with_its_transaction(database: Database) -> None:
    """A connection goes back to the pool the way it came."""
    show = sa.text("SHOW transaction_isolation")
    async with database.transaction(isolation="REPEATABLE READ") as session:
        assert (await session.execute(show)).scalar_one() == "repeatable read"
    async with database.transaction() as session:
        assert (await session.execute(show)).scalar_one() == "read committed"


async def test_statement_that_takes_too_long_is_cut_off(kettle: KettleSettings) -> None:
    """No statement can hold a connection for ever."""
    settings = kettle.model_copy(update={"database_statement_timeout_s": 0.1})
    database = Database(settings, "kettle", CollectorRegistry())
    with pytest.raises(Unavailable):
        async with database.transaction() as session:
            await session.execute(sa.text("SELECT pg_sleep(30)"))
    await database.close()


async def test_exhausted_pool_is_unavailable(
    kettle: KettleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for a connection has an end."""
    monkeypatch.setattr("services.chassis.database._POOL_TIMEOUT_S", 0.1)
    settings = kettle.model_copy(update={"database_pool_size": 1})
    database = Database(settings, "kettle", CollectorRegistry())
    async with database.engine.connect():
        with pytest.raises(Unavailable):
            await count(database)
    await database.close()


async def test_killed_server_is_unavailable_and_recovers_by_itself(
    database: Database, postgres_server: PostgresServer
) -> None:
    """Losing the server is UNAVAILABLE with a hint, and passes without a restart of ours."""
    await insert(database, "before")
    postgres_server.kill()
    try:
        with pytest.raises(Unavailable) as caught:
            await insert(database, "during")
        assert caught.value.retry_after_s is not None
        with pytest.raises(Unavailable):
            await database.ping()
        with pytest.raises(Unavailable):
            await database.connect()
    finally:
        postgres_server.start()
    await until_available(lambda: insert(database, "after"))
    assert await count(database) == 2


async def test_server_that_is_killed_in_mid_transaction_is_unavailable(
    database: Database, postgres_server: PostgresServer
) -> None:
    """A transaction that loses its connection doesn't fail as a mistake of ours."""
    with pytest.raises(Unavailable):  # noqa: PT012 - the block is what raises
        async with database.transaction() as session:
            await session.execute(INSERT, {"name": "half"})
            postgres_server.restart()
            await session.execute(INSERT, {"name": "other half"})
    assert await until_available(lambda: count(database)) == 0


async def test_wrong_password_is_unavailable(kettle: KettleSettings) -> None:
    """Bad credentials are the operator's to mend, and callers are asked to come again."""
    url = kettle.database_url.get_secret_value()
    wrong = url.replace(url.split(":")[2].split("@")[0], "wrong")
    settings = kettle.model_copy(update={"database_url": SecretStr(wrong)})
    database = Database(settings, "kettle", CollectorRegistry())
    with pytest.raises(Unavailable) as caught:
        await database.ping()
    assert "wrong" not in str(caught.value)
    await database.close()


async def test_queries_are_counted_and_timed_by_operation(
    database: Database, registry: CollectorRegistry
) -> None:
    """The pool's queries leave the promised series, failed ones too."""
    await insert(database, "big")
    with pytest.raises(sa.exc.IntegrityError):
        await insert(database, "big")
    for name in ("db_queries_total", "db_query_duration_seconds_count"):
        assert registry.get_sample_value(name, {"operation": "insert"}) == 2


async def test_queries_of_raw_connections_are_counted_too(
    database: Database, registry: CollectorRegistry
) -> None:
    """The hot path doesn't escape the series."""
    connection = await database.connect()
    await connection.fetch("SELECT 1")
    await connection.close()
    await asyncio.sleep(0)
    assert registry.get_sample_value("db_queries_total", {"operation": "select"}) == 1


async def test_connections_in_use_are_counted(
    database: Database, registry: CollectorRegistry
) -> None:
    """Both kinds of connections count while they are out."""

    def active() -> float | None:
        return registry.get_sample_value("db_connections_active")

    raw = await database.connect()
    async with database.transaction() as session:
        await session.execute(COUNT)
        assert active() == 2
    await raw.close()
    await until(lambda: active() == 0)


async def test_times_are_utc(database: Database) -> None:
    """Whatever the server's zone, times come and go in UTC."""
    async with database.transaction() as session:
        assert (await session.execute(sa.text("SHOW timezone"))).scalar_one() == "UTC"
