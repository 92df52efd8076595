"""Durable consumers of the event stream: every event at least once, failures again later."""

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from opentelemetry.semconv.attributes.exception_attributes import EXCEPTION_TYPE
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from services.chassis.errors import Unavailable
from services.chassis.logs import get_logger
from services.chassis.streams import stream_of
from services.chassis.tracing import extract_trace

_MESSAGE_ID_HEADER = "Nats-Msg-Id"
_BATCH_SIZE = 32
_FETCH_TIMEOUT_S = 1.0
_ACK_WAIT_S = 5.0
"""How long an event waits that a replica took and died with."""
_CLAIM_INTERVAL_S = 1.5
_HANDLER_TIMEOUT_S = 20.0
_ACK_PENDING_MAX = 256
_REDELIVERY_FIRST_S = 0.5
_REDELIVERY_MAX_S = 60.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """An event as a consumer gets it."""

    event_id: uuid.UUID
    subject: str
    payload: bytes
    delivered_count: int


Handler = Callable[[Event], Awaitable[None]]
"""Takes in an event; returning acknowledges it, raising has it delivered again later."""


class EventConsumer:
    """Pulls events under a durable name, which replicas share."""

    def __init__(
        self,
        jetstream: Callable[[], JetStreamContext],
        tracer: Tracer,
        durable: str,
        subject: str,
        handler: Handler,
    ) -> None:
        """Consume the events on a subject, wildcards included."""
        self._jetstream = jetstream
        self._tracer = tracer
        self._durable = durable
        self._subject = subject
        self._handler = handler

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until stopped.

        Raises:
            Unavailable: NATS does not answer.
        """
        try:
            jetstream, stream = self._jetstream(), stream_of(self._subject)
            # Brings a consumer that is there up to the configuration of this version.
            await jetstream.add_consumer(stream, config=self._config())
            subscription = await jetstream.pull_subscribe_bind(durable=self._durable, stream=stream)
            try:
                await self._pull(subscription, stopping)
            finally:
                # Deletes the subscription, not the durable consumer.
                with contextlib.suppress(NatsError):
                    await subscription.unsubscribe()
        except (NatsError, TimeoutError, OSError) as err:
            raise Unavailable(
                f"The event stream does not answer consumer {self._durable}."
            ) from err

    async def _pull(
        self, subscription: JetStreamContext.PullSubscription, stopping: asyncio.Event
    ) -> None:
        while not stopping.is_set():
            try:
                messages = await subscription.fetch(_BATCH_SIZE, timeout=_FETCH_TIMEOUT_S)
            except NatsTimeout:
                # Nothing new, or nobody there: the second must not look like the first for ever.
                self._jetstream()
                continue
            waiting = deque(messages)
            async with _claimed(waiting):
                while waiting:
                    await self._deliver(waiting[0])
                    waiting.popleft()

    async def _deliver(self, message: Msg) -> None:
        event = _event(message)
        if event is None:
            log.error("event_malformed", subject=message.subject, consumer=self._durable)
            await message.term()
            return
        with self._tracer.start_as_current_span(
            f"process {event.subject}",
            context=extract_trace(message.headers),
            kind=SpanKind.CONSUMER,
        ) as span:
            try:
                async with asyncio.timeout(_HANDLER_TIMEOUT_S):
                    await self._handler(event)
            except Exception as err:  # noqa: BLE001 - whatever it was, the event comes again
                delay_s = min(_REDELIVERY_MAX_S, _REDELIVERY_FIRST_S * 2**event.delivered_count)
                span.add_event("exception", {EXCEPTION_TYPE: type(err).__qualname__})
                span.set_status(StatusCode.ERROR)
                self._log_failure(event, err, delay_s)
                await message.nak(delay=delay_s)
            else:
                await message.ack()

    def _log_failure(self, event: Event, err: Exception, delay_s: float) -> None:
        facts = {
            "consumer": self._durable,
            "subject": event.subject,
            "event_id": str(event.event_id),
            "delivered_count": event.delivered_count,
            "again_in_s": delay_s,
        }
        if isinstance(err, Unavailable):
            log.warning("event_waits", error=err.message, **facts)
        else:
            log.error("event_failed", exc_info=err, **facts)

    def _config(self) -> ConsumerConfig:
        return ConsumerConfig(
            name=self._durable,
            durable_name=self._durable,
            filter_subject=self._subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT_S,
            max_deliver=-1,
            max_ack_pending=_ACK_PENDING_MAX,
        )


@asynccontextmanager
async def _claimed(messages: Iterable[Msg]) -> AsyncIterator[None]:
    """Tell the stream again and again that these are being worked on, for as long as they are.

    So the time that it waits for an answer says how soon it notices a death, and has nothing to
    do with how long work takes.
    """

    async def claim() -> None:
        while True:
            await asyncio.sleep(_CLAIM_INTERVAL_S)
            for message in tuple(messages):
                # Whatever is answered meanwhile, or can't be said, needs no claim.
                with contextlib.suppress(NatsError):
                    await message.in_progress()

    claiming = asyncio.create_task(claim())
    try:
        yield
    finally:
        claiming.cancel()


def _event(message: Msg) -> Event | None:
    try:
        event_id = uuid.UUID((message.headers or {})[_MESSAGE_ID_HEADER])
    except (KeyError, ValueError):
        return None
    return Event(event_id, message.subject, message.data, message.metadata.num_delivered)
