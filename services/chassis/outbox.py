"""Events that commit with the change that they tell of, and deliveries that count once."""

import asyncio
import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from opentelemetry import context as otel_context
from prometheus_client import Counter, Gauge
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.database import Database
from services.chassis.messaging import EventRecord, Messaging
from services.chassis.streams import AUDIT_PREFIX, EVENT_LIFE_S
from services.chassis.tracing import extract_trace, inject_trace
from services.chassis.workers import Worker, pause

_BATCH_SIZE = 100
_POLL_INTERVAL_S = 2.0
_PRUNE_INTERVAL_S = 600.0
_PUBLISHED_KEPT = dt.timedelta(days=1)
# A day longer than the stream can still deliver an event again.
_RECEIVED_KEPT = dt.timedelta(seconds=EVENT_LIFE_S, days=1)


def outbox_table(metadata: sa.MetaData) -> sa.Table:
    """Declare the outbox in a service's metadata."""
    return sa.Table(
        "outbox",
        metadata,
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("trace", JSONB, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Index(
            "outbox_unpublished", "position", postgresql_where=sa.text("published_at IS NULL")
        ),
    )


def inbox_table(metadata: sa.MetaData) -> sa.Table:
    """Declare the inbox in a service's metadata."""
    return sa.Table(
        "inbox",
        metadata,
        sa.Column("consumer", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    )


_outbox = outbox_table(sa.MetaData())
_inbox = inbox_table(sa.MetaData())


def create_outbox(op: Any) -> None:
    """Create the outbox in a migration."""
    _create(op, _outbox)


def create_inbox(op: Any) -> None:
    """Create the inbox in a migration."""
    _create(op, _inbox)


def _create(op: Operations, table: sa.Table) -> None:
    table.create(op.get_bind())


async def append_event(session: AsyncSession, event: EventRecord) -> None:
    """Store an event in the transaction of the session; it is published after the commit."""
    await session.execute(
        _outbox.insert().values(
            event_id=event.event_id,
            subject=event.subject,
            payload=event.payload,
            trace=inject_trace(),
            created_at=_now(),
        )
    )
    session.info["events_appended"] = True


async def first_delivery(session: AsyncSession, consumer: str, event_id: uuid.UUID) -> bool:
    """Note that the consumer got the event; False if it had it before.

    Call it in the transaction that carries out what the event asks for.
    """
    result = await session.execute(
        insert(_inbox)
        .values(consumer=consumer, event_id=event_id, received_at=_now())
        .on_conflict_do_nothing()
        .returning(_inbox.c.event_id)
    )
    return result.first() is not None


def inbox_pruner(database: Database) -> Worker:
    """Make the worker that forgets deliveries which can't be repeated any more."""

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            async with database.transaction() as session:
                await session.execute(
                    _inbox.delete().where(_inbox.c.received_at < _now() - _RECEIVED_KEPT)
                )
            await pause(stopping, _PRUNE_INTERVAL_S)

    return Worker("inbox-pruner", run)


class OutboxRelay:
    """Publishes what the outbox holds: `App(workers=[OutboxRelay(database, messaging).worker])`.

    Events of one replica keep their order; several replicas share the work.
    """

    def __init__(self, database: Database, messaging: Messaging) -> None:
        """Relay from this database to this stream."""
        self._database = database
        self._messaging = messaging
        self._pruned_at_s: float | None = None
        self._lags_s = [0.0, 0.0]
        self.worker = Worker("outbox-relay", self.run)
        self._lag = Gauge(
            "outbox_lag_seconds",
            "Age of the oldest event that is not published yet.",
            registry=database.registry,
        )
        self._published = Counter(
            "outbox_published_total", "Events published.", registry=database.registry
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until stopped.

        Raises:
            Unavailable: the database or the stream doesn't answer; nothing is lost by that.
        """
        while not stopping.is_set():
            self._database.events_appended.clear()
            # One after the other: an audit stream that is full keeps no events back.
            for audit in (False, True):
                while await self._publish_some(audit=audit) == _BATCH_SIZE:
                    pass
            await self._prune_when_due()
            # The poll finds what a replica left behind that died between commit and publishing.
            await pause(stopping, _POLL_INTERVAL_S, woken=self._database.events_appended)

    async def publish_batch(self) -> int:
        """Publish some of what is for each stream and return how many.

        Raises:
            Unavailable: not all could be published.
        """
        return await self._publish_some(audit=False) + await self._publish_some(audit=True)

    async def _publish_some(self, *, audit: bool) -> int:
        """Publish some events, or some records for the audit log."""
        published: list[int] = []
        failure: Exception | None = None
        async with self._database.transaction() as session:
            rows = await self._take(session, audit=audit)
            self._note_lag(rows, audit=audit)
            for row in rows:
                try:
                    await self._publish(row)
                except Exception as err:  # noqa: BLE001 - raised below, once the others are marked
                    failure = err
                    break
                published.append(row.position)
            if published:
                await session.execute(
                    _outbox.update()
                    .where(_outbox.c.position.in_(published))
                    .values(published_at=_now())
                )
        self._published.inc(len(published))
        if failure is not None:
            raise failure
        if len(rows) < _BATCH_SIZE:
            self._note_lag([], audit=audit)
        return len(published)

    async def _take(self, session: AsyncSession, *, audit: bool) -> Sequence[sa.Row[Any]]:
        is_audit = _outbox.c.subject.startswith(AUDIT_PREFIX)
        result = await session.execute(
            sa.select(_outbox)
            .where(_outbox.c.published_at.is_(None), is_audit if audit else ~is_audit)
            .order_by(_outbox.c.position)
            .limit(_BATCH_SIZE)
            .with_for_update(skip_locked=True)
        )
        return result.all()

    def _note_lag(self, rows: Sequence[sa.Row[Any]], *, audit: bool) -> None:
        oldest: dt.datetime | None = min((row.created_at for row in rows), default=None)
        self._lags_s[audit] = 0 if oldest is None else (_now() - oldest).total_seconds()
        self._lag.set(max(self._lags_s))

    async def _publish(self, row: sa.Row[Any]) -> None:
        token = otel_context.attach(extract_trace(row.trace))
        try:
            event = EventRecord(row.event_id, row.subject, row.payload)
            await self._messaging.publish_event(event)
        finally:
            otel_context.detach(token)

    async def _prune_when_due(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._pruned_at_s is not None and now_s - self._pruned_at_s < _PRUNE_INTERVAL_S:
            return
        async with self._database.transaction() as session:
            await session.execute(
                _outbox.delete().where(_outbox.c.published_at < _now() - _PUBLISHED_KEPT)
            )
        self._pruned_at_s = now_s


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
