"""NATS as services use it, against a real server."""

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from services.chassis.errors import Unavailable
from services.chassis.ids import new_id
from services.chassis.messaging import Event, EventRecord, Messaging
from tests.fixtures.nats import NatsServer
from tests.integration.chassis.kettle import unique_subject
from tests.integration.chassis.waiting import until, until_available, working


def record(subject: str, payload: bytes = b"boiled") -> EventRecord:
    """Make an event."""
    return EventRecord(new_id(), subject, payload)


class Inbox:
    """A handler that keeps what it gets, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.events: list[Event] = []
        self.failures = failures

    async def __call__(self, event: Event) -> None:
        """Take an event in."""
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not today")
        self.events.append(event)


async def test_core_message_reaches_its_subscriber(messaging: Messaging) -> None:
    """What may be lost arrives when nothing is wrong, whoever comes first."""
    got: list[tuple[str, bytes]] = []

    async def handler(subject: str, payload: bytes) -> None:
        got.append((subject, payload))

    subject = unique_subject().replace("events", "dashtrack")
    await messaging.subscribe(subject, handler)
    await until_available(messaging.ping)
    await messaging.publish(subject, b"hot")
    await until(lambda: got == [(subject, b"hot")])


async def test_no_subscription_falls_between_connecting_and_being_connected(
    messaging: Messaging,
) -> None:
    """Whoever subscribes while the first subscriptions are being made gets messages too."""
    got: list[str] = []

    async def handler(subject: str, _: bytes) -> None:
        got.append(subject)

    subjects = [unique_subject().replace("events", "dashtrack") for _ in range(200)]
    for subject in subjects:
        await messaging.subscribe(subject, handler)
        await asyncio.sleep(0)
    await until_available(messaging.ping)
    for subject in subjects:
        await messaging.publish(subject, b"")
    await until(lambda: sorted(got) == sorted(subjects))


async def test_core_message_is_dropped_without_a_connection(
    messaging: Messaging, nats_server: NatsServer
) -> None:
    """Nobody waits or fails for the sake of a message that may be lost."""
    await until_available(messaging.ping)
    nats_server.kill()
    try:
        await messaging.publish("dashtrack.hint", b"")
    finally:
        nats_server.start()


async def test_unsubscribed_handler_gets_nothing(messaging: Messaging) -> None:
    """A subscription ends when it is told to."""
    got: list[bytes] = []

    async def handler(_: str, payload: bytes) -> None:
        got.append(payload)

    await until_available(messaging.ping)
    subject = unique_subject().replace("events", "dashtrack")
    subscription = await messaging.subscribe(subject, handler)
    await subscription.unsubscribe()
    await messaging.publish(subject, b"")
    await messaging.ping()
    assert got == []


async def test_event_reaches_a_durable_consumer(messaging: Messaging) -> None:
    """An event arrives with its id, and is delivered once when it is taken in."""
    subject, inbox = unique_subject(), Inbox()
    event = record(subject)
    await until_available(lambda: messaging.publish_event(event))
    async with working(messaging.consumer(new_id().hex, subject, inbox)):
        await until(lambda: bool(inbox.events))
    assert inbox.events == [Event(event.event_id, subject, b"boiled", 1)]


async def test_event_published_twice_is_stored_once(messaging: Messaging) -> None:
    """A publisher that isn't sure may publish again."""
    subject, inbox = unique_subject(), Inbox()
    twice, after = record(subject, b"twice"), record(subject, b"after")
    await until_available(messaging.ping)
    for event in (twice, twice, after):
        await messaging.publish_event(event)
    async with working(messaging.consumer(new_id().hex, subject, inbox)):
        await until(lambda: inbox.events[-1:] != [] and inbox.events[-1].payload == b"after")
    assert [event.payload for event in inbox.events] == [b"twice", b"after"]


async def test_failed_event_comes_again(
    messaging: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that a handler can't take in is delivered again, and says so."""
    monkeypatch.setattr("services.chassis.consumers._REDELIVERY_FIRST_S", 0.01)
    subject, inbox = unique_subject(), Inbox(failures=2)
    await until_available(lambda: messaging.publish_event(record(subject)))
    async with working(messaging.consumer(new_id().hex, subject, inbox)):
        await until(lambda: bool(inbox.events))
    assert inbox.events[0].delivered_count == 3


async def test_consumer_goes_on_where_it_stopped(messaging: Messaging) -> None:
    """What was published while a consumer was away is there when it comes back."""
    subject, inbox, durable = unique_subject(), Inbox(), new_id().hex
    consumer = messaging.consumer(durable, subject, inbox)
    await until_available(lambda: messaging.publish_event(record(subject, b"1")))
    async with working(consumer):
        await until(lambda: len(inbox.events) == 1)
    await until_available(lambda: messaging.publish_event(record(subject, b"2")))
    async with working(consumer):
        await until(lambda: len(inbox.events) == 2)
    assert [event.payload for event in inbox.events] == [b"1", b"2"]


async def test_what_a_dead_replica_took_is_delivered_to_another(messaging: Messaging) -> None:
    """An event that nobody answered for comes again, to whoever is there."""
    subject, inbox, durable = unique_subject(), Inbox(), new_id().hex
    taken = asyncio.Event()

    async def die(_: Event) -> None:
        taken.set()
        await asyncio.Event().wait()

    await until_available(lambda: messaging.publish_event(record(subject)))
    stopping = asyncio.Event()
    replica = asyncio.ensure_future(messaging.consumer(durable, subject, die).run(stopping))
    await taken.wait()
    replica.cancel()
    await asyncio.wait([replica])
    async with working(messaging.consumer(durable, subject, inbox)):
        await until(lambda: bool(inbox.events))
    assert [event.delivered_count for event in inbox.events] == [2]


async def test_what_takes_long_is_not_delivered_meanwhile(
    messaging: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else gets an event that is being worked on, nor those that wait behind it."""
    monkeypatch.setattr("services.chassis.consumers._ACK_WAIT_S", 2.0)
    monkeypatch.setattr("services.chassis.consumers._CLAIM_INTERVAL_S", 0.2)
    subject, idle, busy, durable = unique_subject(), Inbox(), Inbox(), new_id().hex
    begun = asyncio.Event()

    async def take_long(event: Event) -> None:
        if not begun.is_set():
            begun.set()
            await asyncio.sleep(3.0)
        await busy(event)

    for _ in range(2):
        await until_available(lambda: messaging.publish_event(record(subject)))
    async with working(messaging.consumer(durable, subject, take_long)):
        await begun.wait()
        async with working(messaging.consumer(durable, subject, idle)):
            await until(lambda: len(busy.events) == 2)
    assert [event.delivered_count for event in busy.events] == [1, 1]
    assert not idle.events


async def test_message_without_an_id_is_no_event(messaging: Messaging) -> None:
    """What somebody else put into the stream doesn't hold up what follows."""
    subject, inbox = unique_subject(), Inbox()
    await until_available(messaging.ping)
    await messaging.publish(subject, b"stray")
    await messaging.ping()
    await until_available(lambda: messaging.publish_event(record(subject)))
    async with working(messaging.consumer(new_id().hex, subject, inbox)):
        await until(lambda: bool(inbox.events))
    assert [event.payload for event in inbox.events] == [b"boiled"]


async def test_everything_goes_on_after_the_server_was_away(
    messaging: Messaging, nats_server: NatsServer
) -> None:
    """Subscriptions and consumers survive a killed server, and so do published events."""
    subject, inbox, hints = unique_subject(), Inbox(), []
    hint = subject.replace("events", "dashtrack")

    async def on_hint(_: str, payload: bytes) -> None:
        hints.append(payload)

    await messaging.subscribe(hint, on_hint)
    await until_available(lambda: messaging.publish_event(record(subject, b"before")))
    async with working(messaging.consumer(new_id().hex, subject, inbox)):
        await until(lambda: len(inbox.events) == 1)
        nats_server.kill()
        with pytest.raises(Unavailable):
            await messaging.publish_event(record(subject, b"lost"))
        nats_server.start()
        await until_available(lambda: messaging.publish_event(record(subject, b"after")))
        await until(lambda: inbox.events[-1].payload == b"after")

        async def hinted() -> bool:
            await messaging.publish(hint, b"news")
            return bool(hints)

        await until(hinted)


async def test_trace_goes_from_publisher_to_consumer(
    messaging: Messaging, spans: InMemorySpanExporter
) -> None:
    """Publishing and processing belong to the trace that the event came about in."""
    subject, inbox = unique_subject(), Inbox()
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    await until_available(messaging.ping)
    with tracer.start_as_current_span("request") as request:
        await messaging.publish_event(record(subject))
    async with working(messaging.consumer(new_id().hex, subject, inbox)):
        await until(lambda: len(spans.get_finished_spans()) == 2)
    published, processed = spans.get_finished_spans()
    assert (published.kind, processed.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    trace_ids = {span.context.trace_id for span in (published, processed)}
    assert trace_ids == {request.get_span_context().trace_id}
    assert processed.parent is not None
    assert processed.parent.span_id == published.context.span_id
    assert not trace.get_current_span().is_recording()


async def test_service_may_start_before_nats(messaging: Messaging, nats_server: NatsServer) -> None:
    """Parts start in any order."""
    nats_server.kill()
    try:
        with pytest.raises(Unavailable):
            await messaging.ping()
        await asyncio.sleep(0.1)
    finally:
        nats_server.start()
    await until_available(messaging.ping)
