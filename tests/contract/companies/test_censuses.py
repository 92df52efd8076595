"""What other services count, over gRPC, when auth gives no service token."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from opentelemetry.sdk.trace import TracerProvider

from services.chassis.channels import Channels
from services.chassis.errors import Unavailable
from services.companies.clients import GrpcDeviceCensus, GrpcLoginCensus, GrpcPeopleCensus
from services.companies.settings import CompaniesSettings


@pytest.fixture
async def silent_target() -> AsyncIterator[str]:
    """Somebody who takes calls and never answers."""

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    over = asyncio.Event()
    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over.set()


@pytest.fixture
async def channels(silent_target: str) -> AsyncIterator[Channels]:
    """The channels of a service that waits for its token."""
    settings = CompaniesSettings(
        database_url="postgresql+asyncpg://unused-here",
        nats_password="unused-here",
        service_secret="unused-here",
        auth_target=silent_target,
    )
    channels = Channels(settings, "companies", TracerProvider())
    yield channels
    await channels.close()


async def test_dashboards_do_not_wait_for_auth(channels: Channels, silent_target: str) -> None:
    """All parts that lack a token are given up together, within the time of one of them."""
    channel = channels.channel(silent_target)
    censuses = [census(channel) for census in (GrpcPeopleCensus, GrpcDeviceCensus, GrpcLoginCensus)]

    async with asyncio.timeout(2.5):
        answers = await asyncio.gather(
            *(census.count(uuid.uuid4()) for census in censuses), return_exceptions=True
        )

    assert [type(answer) for answer in answers] == [Unavailable] * 3
