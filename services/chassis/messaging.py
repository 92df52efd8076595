"""NATS: core subjects for what may be lost, JetStream for events."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind, Tracer

from services.chassis.consumers import Event, EventConsumer, Handler
from services.chassis.errors import Unavailable
from services.chassis.logs import get_logger
from services.chassis.settings import ServiceSettings
from services.chassis.streams import ensure_streams
from services.chassis.tracing import extract_trace, inject_trace
from services.chassis.workers import Backoff, Worker

MESSAGE_ID_HEADER = "Nats-Msg-Id"

_CONNECT_TIMEOUT_S = 2
_RECONNECT_WAIT_S = 1
_PING_INTERVAL_S = 10
_PING_TIMEOUT_S = 2
_PUBLISH_TIMEOUT_S = 3.0
_PENDING_SIZE_BYTES = 8 * 1024 * 1024

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as it is stored in the outbox and published."""

    event_id: uuid.UUID
    subject: str
    payload: bytes


class Subscription:
    """A core subscription, there from the moment that NATS is."""

    def __init__(
        self,
        subject: str,
        handler: Callable[[str, bytes], Awaitable[None]],
        on_end: Callable[["Subscription"], None],
    ) -> None:
        """Hand messages on this subject to the handler."""
        self.subject = subject
        self._handler = handler
        self._on_end = on_end
        self._underlying: Any = None
        self._ended = False

    async def begin(self, client: Client) -> None:
        """Subscribe on a connection, which renews the subscription by itself from then on."""
        if not self._ended:
            self._underlying = await client.subscribe(self.subject, cb=self._on_message)

    async def unsubscribe(self) -> None:
        """Stop receiving."""
        if not self._ended:
            self._ended = True
            self._on_end(self)
        if self._underlying is not None:
            with contextlib.suppress(NatsError):
                await self._underlying.unsubscribe()

    async def _on_message(self, message: Msg) -> None:
        token = otel_context.attach(extract_trace(message.headers))
        try:
            await self._handler(message.subject, message.data)
        except Exception:
            log.exception("message_failed", subject=message.subject)
        finally:
            otel_context.detach(token)


class Messaging:
    """A connection to NATS that is made again for as long as the service runs."""

    def __init__(self, settings: ServiceSettings, name: str, tracer: Tracer) -> None:
        """Prepare; `start` connects, in its own time."""
        self._settings = settings
        self._name = name
        self._tracer = tracer
        self._client = Client()
        self._subscriptions: list[Subscription] = []
        self._connecting: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._closing = False

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._connecting = asyncio.create_task(self._connect(), name="nats-connect")

    async def publish(self, subject: str, payload: bytes) -> None:
        """Send a message that may be lost, and is while NATS is away."""
        if not self._client.is_connected:
            return
        with contextlib.suppress(NatsError):
            await self._client.publish(subject, payload, headers=inject_trace() or None)

    async def subscribe(
        self, subject: str, handler: Callable[[str, bytes], Awaitable[None]]
    ) -> Subscription:
        """Receive messages that may be lost: the handler gets subject and payload."""
        subscription = Subscription(subject, handler, self._subscriptions.remove)
        self._subscriptions.append(subscription)
        if self._ready.is_set():
            await subscription.begin(self._client)
        return subscription

    async def publish_event(self, event: EventRecord) -> None:
        """Publish durably; returns when the stream has stored the event.

        Raises:
            Unavailable: it may not have been stored; publishing it again is safe.
        """
        with self._tracer.start_as_current_span(
            f"publish {event.subject}", kind=SpanKind.PRODUCER, record_exception=False
        ):
            headers = {**inject_trace(), MESSAGE_ID_HEADER: str(event.event_id)}
            try:
                await self._jetstream().publish(
                    event.subject, event.payload, headers=headers, timeout=_PUBLISH_TIMEOUT_S
                )
            except (NatsError, TimeoutError, OSError) as err:
                raise Unavailable("The event stream does not answer.") from err

    def consumer(self, durable: str, subject: str, handler: Handler) -> Worker:
        """Make the worker that hands every event to the handler at least once."""
        consumer = EventConsumer(self._jetstream, self._tracer, durable, subject, handler)
        return Worker(f"consumer-{durable}", consumer.run)

    async def ping(self) -> None:
        """Make sure that NATS answers.

        Raises:
            Unavailable: it doesn't.
        """
        self._jetstream()
        try:
            await self._client.flush(timeout=_PING_TIMEOUT_S)
        except (NatsError, TimeoutError, OSError) as err:
            raise Unavailable("NATS does not answer.") from err

    async def close(self) -> None:
        """Hand over what was received and send what was published, then disconnect."""
        self._closing = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            if self._client.is_connected:
                await self._client.drain()
            else:
                await self._client.close()

    def _jetstream(self) -> JetStreamContext:
        if not self._ready.is_set() or not self._client.is_connected:
            raise Unavailable("NATS is not connected.")
        return self._client.jetstream(timeout=_PUBLISH_TIMEOUT_S)

    async def _connect(self) -> None:
        await self._client.connect(
            servers=self._settings.nats_url.split(","),
            name=f"dashtrack-{self._name}",
            user=self._settings.nats_user,
            password=self._settings.nats_password.get_secret_value(),
            connect_timeout=_CONNECT_TIMEOUT_S,
            reconnect_time_wait=_RECONNECT_WAIT_S,
            max_reconnect_attempts=-1,
            ping_interval=_PING_INTERVAL_S,
            max_outstanding_pings=2,
            pending_size=_PENDING_SIZE_BYTES,
            error_cb=_on_error,
            disconnected_cb=self._on_disconnect,
            reconnected_cb=_on_reconnect,
        )
        log.info("nats_connected")
        backoff = Backoff(max_s=5.0)
        while True:
            try:
                await ensure_streams(self._client.jetstream(timeout=_PUBLISH_TIMEOUT_S))
                break
            except (NatsError, TimeoutError, OSError) as err:
                log.warning("nats_stream_unavailable", error=_described(err))
                await asyncio.sleep(backoff.next_s())
        # In this order: who subscribes from here on begins by itself, and nobody falls in between.
        self._ready.set()
        for subscription in tuple(self._subscriptions):
            await subscription.begin(self._client)

    async def _on_disconnect(self) -> None:
        if not self._closing:
            log.warning("nats_disconnected")


async def _on_error(err: Exception) -> None:
    log.warning("nats_error", error=_described(err))


async def _on_reconnect() -> None:
    log.info("nats_reconnected")


def _described(err: Exception) -> str:
    return str(err) or type(err).__name__


__all__ = ["Event", "EventRecord", "Messaging", "Subscription"]
