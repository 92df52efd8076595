"""Requests as they leave a board, against a small HTTP server."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from devices.simulator.transport import HttpTransport, NoReply


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client session that is closed after the test."""
    async with aiohttp.ClientSession() as opened:
        yield opened


async def test_a_request_carries_protobuf_and_the_answer_comes_back(
    session: aiohttp.ClientSession,
) -> None:
    """Path, body and headers arrive as given; headers of the answer are found in lower case."""
    seen: list[tuple[str, bytes, str | None, str | None]] = []

    async def handle(request: web.Request) -> web.Response:
        headers = request.headers
        kind, attempt = headers.get("content-type"), headers.get("x-dashtrack-attempt")
        seen.append((request.path, await request.read(), kind, attempt))
        return web.Response(
            status=429, body=b"later", headers={"Retry-After": "3", "X-DashTrack-Reason": "BUSY"}
        )

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    async with TestServer(app) as server:
        transport = HttpTransport(session, str(server.make_url("/")))
        reply = await transport.post("/v1/telemetry", b"\x00\xff", {"x-dashtrack-attempt": "2"})

    assert seen == [("/v1/telemetry", b"\x00\xff", "application/x-protobuf", "2")]
    assert (reply.status, reply.body, reply.headers["retry-after"]) == (429, b"later", "3")
    assert reply.headers["x-dashtrack-reason"] == "BUSY"


async def test_a_redirect_is_an_answer_and_not_followed(session: aiohttp.ClientSession) -> None:
    """A board sends its secret to nobody but its gateway."""

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/b"})

    app = web.Application()
    app.router.add_post("/a", handle)
    async with TestServer(app) as server:
        reply = await HttpTransport(session, str(server.make_url("/"))).post("/a", b"x", {})

    assert reply.status == 307


async def test_a_gateway_that_does_not_listen_gives_no_reply(
    session: aiohttp.ClientSession, unused_tcp_port: int
) -> None:
    """A refused connection is one kind of failure among others."""
    transport = HttpTransport(session, f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(NoReply):
        await transport.post("/v1/telemetry", b"x", {})


async def test_a_connection_that_breaks_gives_no_reply(session: aiohttp.ClientSession) -> None:
    """A killed gateway leaves the board without an answer, not with a wrong one."""

    async def handle(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    app = web.Application()
    app.router.add_post("/a", handle)
    async with TestServer(app) as server:
        with pytest.raises(NoReply):
            await HttpTransport(session, str(server.make_url("/"))).post("/a", b"x", {})
