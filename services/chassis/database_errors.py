"""What the failures of PostgreSQL mean to a caller."""

from collections.abc import Callable, Iterator, Mapping

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.chassis.errors import DomainError, EditConflict, InvalidArgument, Unavailable

Constraints = Mapping[str, Callable[[], DomainError]]

_CONFLICTS = (
    asyncpg.exceptions.SerializationError,
    asyncpg.exceptions.DeadlockDetectedError,
    asyncpg.exceptions.LockNotAvailableError,
)
# PostgreSQL keeps every text but one that holds the character 0.
_UNSTORABLE = (
    asyncpg.exceptions.CharacterNotInRepertoireError,
    asyncpg.exceptions.UntranslatableCharacterError,
)
_LOST = (
    asyncpg.exceptions.PostgresConnectionError,
    asyncpg.exceptions.InterfaceError,
    # The server's farewell on an idle connection leaves the driver in a state like this.
    asyncpg.exceptions.InternalClientError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.InvalidAuthorizationSpecificationError,
    asyncpg.exceptions.InvalidCatalogNameError,
    asyncpg.exceptions.PostgresIOError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    OSError,
    PoolTimeout,
    TimeoutError,
)


def translate_database_error(
    err: BaseException, constraints: Constraints | None = None
) -> DomainError | None:
    """Return what a failure of SQLAlchemy or asyncpg means; None where it means nothing else.

    Args:
        err: what was raised.
        constraints: the errors that violations of named constraints stand for.
    """
    if isinstance(err, DomainError):
        return None
    for cause in _causes(err):
        name = getattr(cause, "constraint_name", None)
        if name and constraints and name in constraints:
            return constraints[name]()
        if isinstance(cause, _CONFLICTS):
            return EditConflict("Somebody else changed the same thing at the same time.")
        if isinstance(cause, _UNSTORABLE):
            return InvalidArgument("A text holds a character that can't be stored.")
        if isinstance(cause, _LOST):
            return Unavailable("The database does not answer.")
    return None


def is_database_error(err: BaseException) -> bool:
    """Tell whether an exception comes from the database layers at all."""
    return isinstance(err, SQLAlchemyError | asyncpg.PostgresError | asyncpg.InterfaceError)


def _causes(err: BaseException) -> Iterator[BaseException]:
    """Walk from what was raised down to what the driver said."""
    seen: set[int] = set()
    current: BaseException | None = err
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or getattr(current, "orig", None)
