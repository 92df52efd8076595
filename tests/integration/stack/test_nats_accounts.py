"""The logins of the services: enough for their work, and for nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import nats
import pytest
from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import ConsumerConfig

from services.chassis.streams import STREAM, ensure_streams
from services.stack.credentials import SERVICES, new_password
from services.stack.nats import Nats, NatsOptions
from services.stack.nats_accounts import nats_account
from tests.fixtures.ports import reserved_ports
from tests.fixtures.running import RunningPart

PASSWORD = new_password()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that has the services' accounts."""
    folder = tmp_path_factory.mktemp("accounts")
    with reserved_ports(1) as (port,):
        options = NatsOptions(
            port=port,
            port_setting="",
            accounts=[nats_account(service, PASSWORD) for service in SERVICES],
            probe_password=new_password(),
        )
        server = Nats(folder / "server", options)
        running = RunningPart(server, folder / "log")
        running.start()
        yield server.url
        running.stop()


@asynccontextmanager
async def connected(
    url: str, service: str
) -> AsyncIterator[tuple[Client, "asyncio.Queue[Exception]"]]:
    """Connect as a service; what the server refuses comes through the queue."""
    refused: asyncio.Queue[Exception] = asyncio.Queue()

    client = await nats.connect(url, user=service, password=PASSWORD, error_cb=refused.put)
    try:
        yield client, refused
    finally:
        await client.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_does_all_that_events_need(url: str, service: str) -> None:
    """It makes the stream, publishes its own events, and consumes anybody's."""
    async with connected(url, service) as (client, refused):
        jetstream = client.jetstream(timeout=5)
        await ensure_streams(jetstream)
        await jetstream.publish(f"events.{service}.changed", service.encode())
        subscription = await jetstream.pull_subscribe(
            f"events.{service}.>",
            durable=f"{service}-test",
            stream=STREAM,
            config=ConsumerConfig(ack_wait=30),
        )
        (message,) = await subscription.fetch(1, timeout=5)
        await message.ack_sync(timeout=5)
        assert message.data == service.encode()
        await subscription.unsubscribe()
        await client.flush()
        assert refused.empty()


async def test_a_service_hears_one_kind_of_event_from_everybody(url: str) -> None:
    """A wildcard in place of the service's name is as good as the name."""
    async with connected(url, "users") as (client, _):
        jetstream = client.jetstream(timeout=5)
        await ensure_streams(jetstream)
        await jetstream.publish("events.users.company_erased", b"gone")
    async with connected(url, "companies") as (client, refused):
        subscription = await client.jetstream(timeout=5).pull_subscribe(
            "events.*.company_erased", durable="companies-wildcard-test", stream=STREAM
        )
        (message,) = await subscription.fetch(1, timeout=5)
        await message.ack_sync(timeout=5)
        assert message.subject == "events.users.company_erased"
        await subscription.unsubscribe()
        await client.flush()
        assert refused.empty()


async def test_a_service_does_not_speak_for_another(url: str) -> None:
    """An event of another service's is refused, and so is a hint."""
    async with connected(url, "companies") as (client, refused):
        for subject in ("events.users.changed", "dashtrack.revoked", "tel.a.b"):
            await client.publish(subject, b"forged")
        await client.flush(timeout=20)
        for _ in range(3):
            assert "permissions violation" in str(await refused.get()).lower()


async def test_a_service_does_not_delete_events(url: str) -> None:
    """The stream's content is out of reach."""
    async with connected(url, "users") as (client, refused):
        jetstream = client.jetstream(timeout=1)
        await ensure_streams(jetstream)
        for delete in (jetstream.purge_stream, jetstream.delete_stream):
            with pytest.raises((NatsTimeout, TimeoutError)):
                await delete(STREAM)
        for _ in range(2):
            assert "permissions violation" in str(await refused.get()).lower()
