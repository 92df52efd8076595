"""The streams that hold the product's events, and what is reported to the audit log."""

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

STREAM = "EVENTS"
SUBJECTS = "events.>"
EVENT_LIFE_S = 30 * 24 * 3600
"""How long an event is kept; a consumer that is away for longer has lost it."""
AUDIT_STREAM = "AUDIT"
AUDIT_PREFIX = "audit."
AUDIT_SUBJECTS = f"{AUDIT_PREFIX}>"
_DUPLICATE_WINDOW_S = 600
_SIZE_BYTES_MAX = 2 * 1024**3
_AUDIT_SIZE_BYTES_MAX = 1024**3


def stream_of(subject: str) -> str:
    """Return the stream that a subject is stored in."""
    return AUDIT_STREAM if subject.startswith(AUDIT_PREFIX) else STREAM


_STREAMS = (
    StreamConfig(
        name=STREAM,
        subjects=[SUBJECTS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=EVENT_LIFE_S,
        max_bytes=_SIZE_BYTES_MAX,
        duplicate_window=_DUPLICATE_WINDOW_S,
    ),
    # What is sealed is gone from here, addresses and all. Nothing is ever dropped to make room:
    # when it is full, records wait in the outboxes of those who report them.
    StreamConfig(
        name=AUDIT_STREAM,
        subjects=[AUDIT_SUBJECTS],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_bytes=_AUDIT_SIZE_BYTES_MAX,
        duplicate_window=_DUPLICATE_WINDOW_S,
    ),
)


async def ensure_streams(jetstream: JetStreamContext) -> None:
    """Create the streams unless they are there; services that start together may all try."""
    for stream in _STREAMS:
        try:
            await jetstream.stream_info(str(stream.name))
        except NotFoundError:
            await jetstream.add_stream(stream)
