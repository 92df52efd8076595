"""The service's own PostgreSQL database behind one pool."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import asyncpg
import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from sqlalchemy import event, orm
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.ext.asyncio import AsyncSession as SqlAlchemySession
from sqlalchemy.pool import QueuePool
from sqlmodel import Session
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database_errors import Constraints, translate_database_error
from services.chassis.metrics import DatabaseMetrics
from services.chassis.settings import ServiceSettings
from services.chassis.statements import written_tables

_CONNECT_TIMEOUT_S = 3.0
_POOL_TIMEOUT_S = 3.0
_RECYCLE_S = 1800
_PING_TIMEOUT_S = 2.0
_CLOSE_TIMEOUT_S = 5.0


class _BlockingSession(Session):
    # SQLModel's own warns at each call that `exec` is better, which is so for models alone; the
    # outbox and whatever else is a plain table has none.
    execute = orm.Session.execute


class _Session(AsyncSession):
    sync_session_class = _BlockingSession
    execute = SqlAlchemySession.execute


_WRITTEN = "written_tables"


class CommitHook(Protocol):
    """Takes part in every transaction, at its end."""

    async def before_commit(self, session: AsyncSession) -> None:
        """Add to the transaction what belongs to it; what is raised undoes it."""

    def after_commit(self, session: AsyncSession) -> None:
        """Hear that the transaction has come to be."""


class Database:
    """An async engine whose failures are domain errors and whose queries are measured."""

    dsn: str
    """The plain `postgresql://` address, for users of asyncpg."""

    def __init__(self, settings: ServiceSettings, name: str, registry: CollectorRegistry) -> None:
        """Prepare the pool; it connects when first used."""
        self._url = make_url(settings.database_url.get_secret_value())
        self.dsn = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        self.registry = registry
        self.events_appended = asyncio.Event()
        """Set when a transaction that appended to the outbox has committed."""
        self.commit_hook: CommitHook | None = None
        self._metrics = DatabaseMetrics(registry)
        self._server_settings = {
            "application_name": f"dashtrack-{name}",
            "statement_timeout": str(int(settings.database_statement_timeout_s * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            "timezone": "UTC",
        }
        self.engine: AsyncEngine = create_async_engine(
            self._url,
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=_POOL_TIMEOUT_S,
            pool_pre_ping=True,
            pool_recycle=_RECYCLE_S,
            # What a failure says is logged, and statements carry hashes and addresses.
            hide_parameters=True,
            connect_args={"timeout": _CONNECT_TIMEOUT_S, "server_settings": self._server_settings},
        )
        self._raw_connections = 0
        self._metrics.connections_active.set_function(self._connections_active)
        self._watch_queries()

    @contextlib.asynccontextmanager
    async def transaction(
        self, *, constraints: Constraints | None = None, isolation: str | None = None
    ) -> AsyncIterator[AsyncSession]:
        """Open a session that commits at the end of the block and rolls back when it raises.

        Args:
            constraints: the errors that violations of named constraints stand for.
            isolation: such as "REPEATABLE READ", where READ COMMITTED isn't enough.

        Raises:
            EditConflict: the transaction lost against a concurrent one.
            Unavailable: the connection was lost, or there is none to be had.
        """
        session = _Session(self.engine, expire_on_commit=False)
        try:
            async with session:
                if isolation is not None:
                    await session.connection(execution_options={"isolation_level": isolation})
                yield session
                if self.commit_hook is not None:
                    await self.commit_hook.before_commit(session)
                await session.commit()
        except Exception as err:
            translated = translate_database_error(err, constraints)
            if translated is None:
                raise
            raise translated from err
        if session.info.get("events_appended"):
            self.events_appended.set()
        if self.commit_hook is not None:
            self.commit_hook.after_commit(session)

    async def connect(self) -> asyncpg.Connection:
        """Open a raw connection outside the pool, for hot paths; the caller closes it.

        Raises:
            Unavailable: the database does not answer.
        """
        try:
            connection: asyncpg.Connection = await asyncpg.connect(
                self.dsn, timeout=_CONNECT_TIMEOUT_S, server_settings=self._server_settings
            )
        except Exception as err:
            translated = translate_database_error(err)
            if translated is None:
                raise
            raise translated from err
        self._raw_connections += 1
        connection.add_termination_listener(self._on_raw_closed)
        connection.add_query_logger(self._on_raw_query)
        return connection

    async def ping(self) -> None:
        """Make sure that the database answers.

        Raises:
            Unavailable: it doesn't.
        """
        try:
            async with asyncio.timeout(_PING_TIMEOUT_S), self.engine.connect() as connection:
                await connection.execute(sa.text("SELECT 1"))
        except Exception as err:
            translated = translate_database_error(err)
            if translated is None:
                raise
            raise translated from err

    async def close(self) -> None:
        """Close the pool."""
        # A server that is gone can't say goodbye; nobody waits for it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self.engine.dispose()

    def _watch_queries(self) -> None:
        engine = self.engine.sync_engine

        @event.listens_for(engine, "begin")
        def on_begin(connection: sa.Connection) -> None:
            connection.info[_WRITTEN] = set()

        @event.listens_for(engine, "before_cursor_execute")
        def on_query(connection: sa.Connection, _: Any, statement: str, *__: Any) -> None:
            connection.info["query_started_s"] = time.perf_counter()
            written = written_tables(statement)
            if written:
                connection.info.setdefault(_WRITTEN, set()).update(written)

        @event.listens_for(engine, "after_cursor_execute")
        def on_result(connection: sa.Connection, _: Any, statement: str, *__: Any) -> None:
            self._on_query(connection, statement)

        @event.listens_for(engine, "handle_error")
        def on_error(context: sa.engine.ExceptionContext) -> None:
            if context.connection is not None and context.statement is not None:
                self._on_query(context.connection, context.statement)

    def _on_query(self, connection: sa.Connection, statement: str) -> None:
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            started_s = connection.info.pop("query_started_s", None)
            if started_s is not None:
                self._metrics.observe(statement, time.perf_counter() - started_s)

    def _connections_active(self) -> int:
        pool = self.engine.sync_engine.pool
        pooled = pool.checkedout() if isinstance(pool, QueuePool) else 0
        return pooled + self._raw_connections

    def _on_raw_closed(self, _: object) -> None:
        self._raw_connections -= 1

    async def _on_raw_query(self, query: Any) -> None:
        self._metrics.observe(query.query, query.elapsed)


async def tables_written(session: AsyncSession) -> frozenset[str]:
    """Return the tables that a transaction has written to so far."""
    if not session.in_transaction():
        return frozenset()
    await session.flush()
    connection = await session.connection()
    written = (await connection.get_raw_connection()).info.get(_WRITTEN, ())
    return frozenset(written)


__all__ = ["CommitHook", "Constraints", "Database", "translate_database_error"]
