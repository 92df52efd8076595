"""The one stream that holds the product's events."""

from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

STREAM = "EVENTS"
SUBJECTS = "events.>"
EVENT_LIFE_S = 30 * 24 * 3600
"""How long an event is kept; a consumer that is away for longer has lost it."""
_DUPLICATE_WINDOW_S = 600
_SIZE_BYTES_MAX = 2 * 1024**3


async def ensure_stream(jetstream: JetStreamContext) -> None:
    """Create the stream unless it is there; services that start together may all try."""
    try:
        await jetstream.stream_info(STREAM)
    except NotFoundError:
        await jetstream.add_stream(
            StreamConfig(
                name=STREAM,
                subjects=[SUBJECTS],
                retention=RetentionPolicy.LIMITS,
                storage=StorageType.FILE,
                max_age=EVENT_LIFE_S,
                max_bytes=_SIZE_BYTES_MAX,
                duplicate_window=_DUPLICATE_WINDOW_S,
            )
        )
