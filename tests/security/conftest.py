"""The real services behind a real gateway, which believe the tokens of the session's mint."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from gateway import GatewaySettings, RateLimit, ServiceAddress, contract
from gateway.contract import Rpc
from tests.fixtures.serving import ServedService
from tests.fixtures.tokens import JwksServer
from tests.gateway.envoy import RunningGateway, running_gateway

# Tests send far more than a client may.
_NO_LIMIT = RateLimit(burst=1_000_000, per_second=1_000_000)


def _port(address: str) -> int:
    return int(
        address.split("/")[2].rpartition(":")[2] if "/" in address else address.split(":")[1]
    )


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """The gateway of the four services."""

    gateway: RunningGateway
    client: httpx.Client


@pytest.fixture(scope="module")
def front_door(
    auth_of_the_mint: ServedService,
    users_service: ServedService,
    companies_service: ServedService,
    telemetry_in_process: ServedService,
    jwks_server: JwksServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[FrontDoor]:
    """A gateway before the services of the module's `world`, without limits of rate."""
    services = {
        service.name: ServiceAddress("127.0.0.1", _port(service.target), _port(service.http_url))
        for service in (auth_of_the_mint, users_service, companies_service, telemetry_in_process)
    }
    # Auth signs with a key of its own here; what tests show is signed by the mint.
    auth = services["auth"]
    services["auth"] = ServiceAddress(auth.host, auth.grpc_port, _port(jwks_server.url))
    settings = GatewaySettings(
        services=services,
        listen_host="127.0.0.1",
        address_limit=_NO_LIMIT,
        device_limit=_NO_LIMIT,
        concurrency=1,
    )
    with (
        running_gateway(settings, tmp_path_factory.mktemp("front-door")) as gateway,
        httpx.Client(base_url=gateway.url, timeout=30) as client,
    ):
        yield FrontDoor(gateway, client)


@pytest.fixture(scope="session")
def public_rpcs() -> list[Rpc]:
    """Every RPC that the gateway serves."""
    return list(contract.public_rpcs(contract.load()))
