"""A gateway that is told to drain finishes what it has begun."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from google.protobuf.message import Message

from gateway import GatewaySettings, drain
from services.chassis.identity import Role
from tests.fixtures.tokens import TokenMint
from tests.gateway.backend import Context, Services
from tests.gateway.calls import authorization
from tests.gateway.envoy import RunningGateway, running_gateway

ME = "dashtrack.users.v1.UserService/GetCurrentUser"


@pytest.fixture
def leaving(
    settings: GatewaySettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway that may be stopped."""
    own = replace(settings, otlp_endpoint=None)
    with running_gateway(own, tmp_path_factory.mktemp("leaving")) as running:
        yield running


def test_a_request_that_runs_is_finished(
    leaving: RunningGateway, services: Services, token_mint: TokenMint
) -> None:
    """It is answered in full; new clients are sent elsewhere; the process then ends at once."""
    begun = threading.Event()
    finish = asyncio.Event()

    async def slow(_: Message, __: Context) -> Message:
        begun.set()
        await finish.wait()
        return services.message(".dashtrack.users.v1.User", display_name="Ana")

    services.answers[ME] = slow
    answers: list[httpx.Response] = []

    def ask() -> None:
        headers = authorization(token_mint.user(Role.MASTER))
        answers.append(httpx.get(f"{leaving.url}/v1/me", headers=headers, timeout=30))

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(10)

    still_running = asyncio.run(drain("127.0.0.1", leaving.settings.admin_port, wait_s=0.3))
    ready = httpx.get(f"{leaving.url}/readyz")
    services.run(_set(finish))
    left = asyncio.run(drain("127.0.0.1", leaving.settings.admin_port, wait_s=20))
    leaving.process.terminate()
    asking.join(20)

    assert still_running == 1
    assert ready.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert left == 0
    assert leaving.process.wait(20) == 0
    (answer,) = answers
    assert answer.json()["displayName"] == "Ana"
    assert answer.headers["connection"] == "close"


async def _set(event: asyncio.Event) -> None:
    event.set()
