"""Events that commit with the change that they tell of, and deliveries that count once."""

import asyncio
import uuid

import sqlalchemy as sa
from alembic.operations import Operations
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import Database
from services.chassis.messaging import EventRecord, Messaging
from services.chassis.workers import Worker


def outbox_table(metadata: sa.MetaData) -> sa.Table:
    """Declare the outbox in a service's metadata."""
    raise NotImplementedError


def inbox_table(metadata: sa.MetaData) -> sa.Table:
    """Declare the inbox in a service's metadata."""
    raise NotImplementedError


def create_outbox(op: Operations) -> None:
    """Create the outbox in a migration."""
    raise NotImplementedError


def create_inbox(op: Operations) -> None:
    """Create the inbox in a migration."""
    raise NotImplementedError


async def append_event(session: AsyncSession, event: EventRecord) -> None:
    """Store an event in the transaction of the session; it is published after the commit."""
    raise NotImplementedError


async def first_delivery(session: AsyncSession, consumer: str, event_id: uuid.UUID) -> bool:
    """Note that the consumer got the event; False if it had it before."""
    raise NotImplementedError


class OutboxRelay:
    """Publishes what the outbox holds: `App(workers=[OutboxRelay(database, messaging).worker])`."""

    def __init__(self, database: Database, messaging: Messaging) -> None:
        raise NotImplementedError

    worker: Worker

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until stopped."""
        raise NotImplementedError
