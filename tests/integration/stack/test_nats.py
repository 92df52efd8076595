"""NATS as the stack runs it: events are on disk, strangers stay outside."""

import asyncio

import nats

from tests.fixtures.nats import NatsServer


async def test_an_acknowledged_event_survives_a_kill(nats_server: NatsServer) -> None:
    """What JetStream has acknowledged is there after SIGKILL."""
    login = {"user": nats_server.user, "password": nats_server.password}
    client = await nats.connect(nats_server.url, **login, allow_reconnect=False)
    stream = client.jetstream()
    await stream.add_stream(name="KEPT", subjects=["kept.>"])
    await stream.publish("kept.one", b"payload")
    await client.close()
    nats_server.restart()
    client = await nats.connect(nats_server.url, **login)
    message = await client.jetstream().get_msg("KEPT", 1)
    assert message.data == b"payload"
    await client.jetstream().delete_stream("KEPT")
    await client.close()


async def test_a_wrong_password_is_refused(nats_server: NatsServer) -> None:
    """Nobody gets in without the generated password."""
    port = int(nats_server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b'CONNECT {"user":"everyone","pass":"guess"}\r\nPING\r\n')
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b"-ERR 'Authorization Violation'" in received
    assert b"PONG" not in received
