"""NATS: core subjects for what may be lost, JetStream for events."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from services.chassis.settings import ServiceSettings
from services.chassis.workers import Worker


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as it is stored in the outbox and published."""

    event_id: uuid.UUID
    subject: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """An event as a consumer gets it."""

    event_id: uuid.UUID
    subject: str
    payload: bytes
    delivered_count: int


class Subscription(Protocol):
    """A running core subscription."""

    async def unsubscribe(self) -> None:
        """Stop receiving."""


class Messaging:
    """A connection to NATS that is made again for as long as the service runs."""

    def __init__(self, settings: ServiceSettings, name: str) -> None:
        raise NotImplementedError

    async def publish(self, subject: str, payload: bytes) -> None:
        """Send a message that may be lost."""
        raise NotImplementedError

    async def subscribe(
        self, subject: str, handler: Callable[[str, bytes], Awaitable[None]]
    ) -> Subscription:
        """Receive messages that may be lost: the handler gets subject and payload."""
        raise NotImplementedError

    async def publish_event(self, event: EventRecord) -> None:
        """Publish durably; returns when the stream has stored the event."""
        raise NotImplementedError

    def consumer(
        self, durable: str, subject: str, handler: Callable[[Event], Awaitable[None]]
    ) -> Worker:
        """Make the worker that hands every event to the handler at least once."""
        raise NotImplementedError

    async def ping(self) -> None:
        """Make sure that NATS answers.

        Raises:
            Unavailable: it doesn't.
        """
        raise NotImplementedError
