"""Events that commit with their change, against a real PostgreSQL and NATS."""

import asyncio
import datetime as dt
import uuid

import pytest
import sqlalchemy as sa
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.chassis.ids import new_id
from services.chassis.messaging import Event, EventRecord, Messaging
from services.chassis.outbox import OutboxRelay, append_event, first_delivery, inbox_pruner
from tests.fixtures.nats import NatsServer
from tests.integration.chassis.kettle import KettleSettings, unique_subject
from tests.integration.chassis.waiting import until, until_available, working


class KettleCounter:
    """A consumer whose effect is a row, once per event."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self.deliveries = 0

    async def __call__(self, event: Event) -> None:
        """Count an event, unless it was counted before."""
        async with self._database.transaction() as session:
            if await first_delivery(session, self._name, event.event_id):
                name = event.payload.decode()
                await session.execute(
                    sa.text("INSERT INTO kettles VALUES (:name, 1)"), {"name": name}
                )
        self.deliveries += 1


async def append(database: Database, subject: str, payload: str) -> uuid.UUID:
    """Commit an event."""
    event = EventRecord(new_id(), subject, payload.encode())
    async with database.transaction() as session:
        await append_event(session, event)
    return event.event_id


async def names(database: Database) -> list[str]:
    """Return what was counted."""
    async with database.transaction() as session:
        rows = await session.execute(sa.text("SELECT name FROM kettles ORDER BY name"))
        return [row.name for row in rows]


async def unpublished(database: Database) -> int:
    """Count what still waits."""
    async with database.transaction() as session:
        query = sa.text("SELECT count(*) FROM outbox WHERE published_at IS NULL")
        return int((await session.execute(query)).scalar_one())


async def test_committed_event_is_published(database: Database, messaging: Messaging) -> None:
    """An event goes out soon after its transaction."""
    subject = unique_subject()
    counter = KettleCounter(database, "counter")
    relay = OutboxRelay(database, messaging)
    async with working(relay.worker), working(messaging.consumer(new_id().hex, subject, counter)):
        await append(database, subject, "big")
        await until(lambda: counter.deliveries == 1)
    assert await names(database) == ["big"]
    assert await unpublished(database) == 0


async def test_commit_wakes_the_relay(
    database: Database, messaging: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events don't wait for the next poll."""
    monkeypatch.setattr("services.chassis.outbox._POLL_INTERVAL_S", 3600)
    await until_available(messaging.ping)
    async with working(OutboxRelay(database, messaging).worker):
        for number in range(3):
            await append(database, unique_subject(), str(number))

            async def published() -> bool:
                return await unpublished(database) == 0

            await until(published)


async def test_event_of_a_rolled_back_transaction_never_was(database: Database) -> None:
    """What didn't happen is not told."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what raises
        async with database.transaction() as session:
            await append_event(session, EventRecord(new_id(), unique_subject(), b""))
            raise ZeroDivisionError
    assert await unpublished(database) == 0
    assert not database.events_appended.is_set()


async def test_events_keep_their_order(database: Database, messaging: Messaging) -> None:
    """One replica's events arrive in the order in which they were appended."""
    subject, got = unique_subject(), []

    async def handler(event: Event) -> None:
        got.append(event.payload.decode())

    expected = [str(number) for number in range(150)]
    for number in expected:
        await append(database, subject, number)
    async with (
        working(OutboxRelay(database, messaging).worker),
        working(messaging.consumer(new_id().hex, subject, handler)),
    ):
        await until(lambda: len(got) == len(expected))
    assert got == expected


async def test_outbox_survives_an_outage_and_delivers_once(
    database: Database,
    messaging: Messaging,
    nats_server: NatsServer,
    registry: CollectorRegistry,
) -> None:
    """Events that were committed while NATS was down arrive afterwards, each once."""
    subject = unique_subject()
    counter = KettleCounter(database, "counter")
    relay = OutboxRelay(database, messaging)
    async with working(relay.worker), working(messaging.consumer(new_id().hex, subject, counter)):
        await append(database, subject, "before")
        await until(lambda: counter.deliveries == 1)
        nats_server.kill()
        await append(database, subject, "during 1")
        await append(database, subject, "during 2")
        await until(lambda: (registry.get_sample_value("outbox_lag_seconds") or 0) > 0)
        assert await unpublished(database) == 2
        nats_server.start()
        await append(database, subject, "after")
        await until(lambda: counter.deliveries >= 4)
        await until(lambda: registry.get_sample_value("outbox_lag_seconds") == 0)
    assert await names(database) == ["after", "before", "during 1", "during 2"]


async def test_event_delivered_again_has_no_second_effect(
    database: Database, messaging: Messaging
) -> None:
    """A second consumer under another durable name, but the same inbox name, changes nothing."""
    subject = unique_subject()
    counter = KettleCounter(database, "counter")
    await append(database, subject, "big")
    async with working(OutboxRelay(database, messaging).worker):
        async with working(messaging.consumer(new_id().hex, subject, counter)):
            await until(lambda: counter.deliveries == 1)
        async with working(messaging.consumer(new_id().hex, subject, counter)):
            await until(lambda: counter.deliveries == 2)
    assert await names(database) == ["big"]


async def test_replicas_share_the_work_without_publishing_twice(
    database: Database, messaging: Messaging, registry: CollectorRegistry, kettle: KettleSettings
) -> None:
    """Two relays on one outbox take different rows."""
    others_registry = CollectorRegistry()
    other = Database(kettle, "kettle", others_registry)
    for number in range(120):
        await append(database, unique_subject(), str(number))
    await until_available(messaging.ping)
    relays = [OutboxRelay(database, messaging), OutboxRelay(other, messaging)]
    counts = await asyncio.gather(*(relay.publish_batch() for relay in relays))
    assert sum(counts) == 120
    assert await unpublished(database) == 0
    await other.close()


async def test_event_that_cannot_be_published_does_not_undo_those_before_it(
    database: Database, messaging: Messaging
) -> None:
    """What was published is marked, even if the next event fails."""
    await until_available(messaging.ping)
    await append(database, unique_subject(), "good")
    await append(database, "outside.the.stream", "bad")
    with pytest.raises(Unavailable):
        await OutboxRelay(database, messaging).publish_batch()
    assert await unpublished(database) == 1


async def test_an_audit_stream_that_takes_nothing_keeps_no_events_back(
    database: Database, messaging: Messaging
) -> None:
    """Events that were appended later are published all the same, again and again."""
    await until_available(messaging.ping)
    too_big = EventRecord(new_id(), "audit.kettle.recorded", bytes(2 * 1024 * 1024))
    async with database.transaction() as session:
        await append_event(session, too_big)
    async with working(OutboxRelay(database, messaging).worker):
        for name in ("first", "second"):
            await append(database, unique_subject(), name)

            async def only_the_record_is_left() -> bool:
                return await unpublished(database) == 1

            await until(only_the_record_is_left)


async def test_published_events_are_forgotten_after_a_day(
    database: Database, messaging: Messaging
) -> None:
    """The outbox holds what is new and what may still be asked about."""
    async with database.transaction() as session:
        for age in (dt.timedelta(days=2), dt.timedelta(hours=1)):
            await session.execute(
                sa.text(
                    "INSERT INTO outbox (event_id, subject, payload, trace, created_at, "
                    "published_at) "
                    "VALUES (:id, 'events.x', '', '{}', now(), now() - CAST(:age AS interval))"
                ),
                {"id": new_id(), "age": age},
            )

    async def left() -> int:
        async with database.transaction() as session:
            return int((await session.execute(sa.text("SELECT count(*) FROM outbox"))).scalar_one())

    async def one_left() -> bool:
        return await left() == 1

    async with working(OutboxRelay(database, messaging).worker):
        await until(one_left)


async def test_deliveries_are_forgotten_once_they_cannot_come_again(database: Database) -> None:
    """The inbox is as short as the stream's memory allows."""
    async with database.transaction() as session:
        for age in (dt.timedelta(days=32), dt.timedelta(days=29)):
            await session.execute(
                sa.text(
                    f"INSERT INTO inbox VALUES ('counter', :id, now() - interval '{age}')"  # noqa: S608 - the test's own words
                ),
                {"id": new_id()},
            )

    async def one_left() -> bool:
        async with database.transaction() as session:
            query = sa.text("SELECT count(*) FROM inbox")
            return bool((await session.execute(query)).scalar_one() == 1)

    async with working(inbox_pruner(database)):
        await until(one_left)


async def test_trace_of_an_event_is_that_of_its_transaction(
    database: Database, messaging: Messaging, spans: InMemorySpanExporter
) -> None:
    """Publishing later, by another task, continues the trace that the event came about in."""
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    await until_available(messaging.ping)
    with tracer.start_as_current_span("request") as request:
        await append(database, unique_subject(), "big")
    await OutboxRelay(database, messaging).publish_batch()
    (published,) = spans.get_finished_spans()
    assert published.context.trace_id == request.get_span_context().trace_id
