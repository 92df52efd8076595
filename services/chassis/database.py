"""The service's own PostgreSQL database behind one pool."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

import asyncpg
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.errors import DomainError
from services.chassis.settings import ServiceSettings


class Database:
    """An async engine whose failures are domain errors and whose queries are measured."""

    dsn: str
    """The plain `postgresql://` address, for users of asyncpg."""

    def __init__(self, settings: ServiceSettings) -> None:
        raise NotImplementedError

    def transaction(
        self,
        *,
        constraints: Mapping[str, Callable[[], DomainError]] = {},
        isolation: str | None = None,
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a session that commits at the end of the block and rolls back when it raises."""
        raise NotImplementedError

    async def connect(self) -> asyncpg.Connection:
        """Open a raw connection outside the pool, for hot paths; the caller closes it."""
        raise NotImplementedError

    async def ping(self) -> None:
        """Make sure that the database answers.

        Raises:
            Unavailable: it doesn't.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Close the pool."""
        raise NotImplementedError
