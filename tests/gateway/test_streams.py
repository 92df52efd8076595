"""Streams arrive item by item, in each form."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message

from services.chassis.identity import Role
from tests.fixtures.tokens import TokenMint
from tests.gateway.backend import Context, Services
from tests.gateway.calls import GRPC_WEB, authorization, web_frame, web_frames
from tests.gateway.envoy import RunningGateway

WATCH = "dashtrack.telemetry.v1.ReadingService/WatchReadings"
WATCH_ITEM = "dashtrack.telemetry.v1.WatchReadingsResponse"


class Watch:
    """A stream that goes on when the test says so."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._items: asyncio.Queue[str | None] = asyncio.Queue()
        self.ended = asyncio.Event()

    async def stream(self, _: Message, __: Context) -> AsyncIterator[Message]:
        """Send what `say` is given."""
        try:
            while (reason := await self._items.get()) is not None:
                end = {"reason": reason}
                yield self._services.message(f".{WATCH_ITEM}", end=end)
        finally:
            self.ended.set()

    def say(self, reason: str | None) -> None:
        """Send an item, or end the stream."""
        self._services.run(self._items.put(reason))


@pytest.fixture
def watch(services: Services) -> Watch:
    """A watch that the test feeds."""
    made = Watch(services)
    services.streams[WATCH] = made.stream
    return made


def test_items_arrive_as_lines_of_json_while_the_stream_goes_on(
    watch: Watch, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """Each item is a line, there before the next one exists."""
    headers = authorization(token_mint.user(Role.MASTER))
    watch.say("FIRST")

    with rest.stream("GET", "/v1/readings:watch", headers=headers) as response:
        lines = response.iter_lines()
        assert json.loads(next(lines)) == {"end": {"reason": "FIRST"}}
        watch.say("SECOND")
        assert json.loads(next(lines)) == {"end": {"reason": "SECOND"}}
        watch.say(None)
        assert list(lines) == []


def test_items_arrive_as_server_sent_events_for_those_who_accept_them(
    watch: Watch, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A browser's EventSource reads the same stream."""
    headers = authorization(token_mint.user(Role.MASTER)) | {"accept": "text/event-stream"}
    watch.say("FIRST")

    with rest.stream("GET", "/v1/readings:watch", headers=headers) as response:
        assert response.headers["content-type"] == "text/event-stream"
        lines = response.iter_lines()
        assert next(lines) == 'data: {"end":{"reason":"FIRST"}}'
        watch.say(None)
        assert list(lines) == [""]


def test_items_arrive_over_grpc_web_while_the_stream_goes_on(
    watch: Watch, services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A page in a browser has each item before the next one exists, and the status at the end."""
    headers = authorization(token_mint.user(Role.MASTER)) | {"content-type": GRPC_WEB}
    expected = [
        services.message(f".{WATCH_ITEM}", end={"reason": reason}).SerializeToString()
        for reason in ("FIRST", "SECOND")
    ]
    watch.say("FIRST")

    with rest.stream("POST", f"/{WATCH}", content=web_frame(b""), headers=headers) as response:
        chunks = response.iter_raw()
        assert web_frames(next(chunks)) == ([expected[0]], {})
        watch.say("SECOND")
        assert web_frames(next(chunks)) == ([expected[1]], {})
        watch.say(None)
        messages, trailers = web_frames(b"".join(chunks))
    assert (messages, trailers["grpc-status"]) == ([], "0")


def test_a_client_that_leaves_ends_the_stream_at_the_service(
    watch: Watch, services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """Nobody is served who no longer listens."""
    headers = authorization(token_mint.user(Role.MASTER))
    watch.say("FIRST")

    with rest.stream("GET", "/v1/readings:watch", headers=headers) as response:
        next(response.iter_lines())

    services.run(asyncio.wait_for(watch.ended.wait(), 10))


def test_a_watch_has_no_deadline_of_the_gateways(
    watch: Watch, services: Services, gateway: RunningGateway, token_mint: TokenMint
) -> None:
    """It ends when one of the two ends it."""
    metadata = tuple(authorization(token_mint.user(Role.MASTER)).items())
    watch.say("FIRST")

    with grpc.insecure_channel(gateway.target) as channel:
        method: Any = channel.unary_stream(f"/{WATCH}")
        call = method(b"", metadata=metadata)
        assert next(call)
        call.cancel()

    # The stand-in writes -1 where gRPC knows of no deadline.
    assert services.calls[0].time_remaining_s == -1.0
