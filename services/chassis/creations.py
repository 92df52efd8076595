"""Creations that can be sent again: a row remembers the request that made it."""

import uuid
from typing import TypeVar

import sqlalchemy as sa
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.identity import CreationRequest
from services.chassis.locks import lock_work


class RequestedRow(SQLModel):
    """The columns of a table whose rows are made on request; caller and id are unique in it."""

    request_caller_id: uuid.UUID | None = None
    request_id: uuid.UUID | None = None
    request_digest: bytes | None = None

    def remember(self, request: CreationRequest | None) -> None:
        """Keep the request that makes the row, if it has an id."""
        if request is not None:
            self.request_caller_id = request.caller_id
            self.request_id = request.request_id
            self.request_digest = request.digest


R = TypeVar("R", bound=RequestedRow)


async def made_by(
    session: AsyncSession, table: type[R], within: sa.ColumnElement[bool], request: CreationRequest
) -> R | None:
    """Find the row that an earlier try of a request made, among those that the caller may see.

    Raises:
        RequestIdReused: the earlier request asked for something else.
    """
    # The lock makes tries that run at the same time see one another's outcome.
    await lock_work(session, f"creation/{request.caller_id}/{request.request_id}")
    query = select(table).where(
        within,
        col(table.request_caller_id) == request.caller_id,
        col(table.request_id) == request.request_id,
    )
    row = (await session.exec(query)).one_or_none()
    if row is not None:
        request.require_same(row.request_digest or b"")
    return row
