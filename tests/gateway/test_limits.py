"""Limits per address and per device, on a gateway whose limits are low."""

import uuid
from collections.abc import Iterator
from dataclasses import replace

import grpc
import httpx
import pytest

from gateway import GatewaySettings, RateLimit
from services.chassis.identity import Role
from tests.fixtures.tokens import TokenMint
from tests.gateway.backend import Services
from tests.gateway.calls import RAW, authorization, native_unary
from tests.gateway.envoy import RunningGateway, running_gateway

BURST = 3


@pytest.fixture(scope="module")
def strict(
    settings: GatewaySettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway that allows three requests at once, and next to none after them."""
    limit = RateLimit(burst=BURST, per_second=1)
    strict = replace(settings, address_limit=limit, device_limit=limit, otlp_endpoint=None)
    with running_gateway(strict, tmp_path_factory.mktemp("strict")) as running:
        yield running


def client(gateway: RunningGateway, address: str) -> httpx.Client:
    """Return a client with an address of its own."""
    return httpx.Client(base_url=gateway.url, transport=httpx.HTTPTransport(local_address=address))


def login(channel: grpc.Channel) -> grpc.StatusCode:
    """Call Login; return the status."""
    try:
        native_unary(channel, "/dashtrack.auth.v1.AuthService/Login")
    except grpc.RpcError as err:
        return err.code()
    return grpc.StatusCode.OK


def statuses(responses: list[httpx.Response]) -> set[int]:
    """Return the different statuses."""
    return {response.status_code for response in responses}


def test_an_address_is_limited_by_itself(strict: RunningGateway, services: Services) -> None:
    """Beyond its burst an address is told when to come back; another one is not concerned."""
    with client(strict, "127.0.0.11") as hasty, client(strict, "127.0.0.12") as other:
        responses = [hasty.post("/v1/auth:login", json={}) for _ in range(BURST * 5)]
        refused = [response for response in responses if response.status_code == 429]
        assert other.post("/v1/auth:login", json={}).status_code == httpx.codes.OK

    assert statuses(responses) == {200, 429}
    assert refused[0].headers["retry-after"] == "1"
    assert refused[0].headers["x-ratelimit-limit"] == str(BURST)
    assert refused[0].json()["details"][0]["reason"] == "RATE_LIMITED"
    assert len(services.calls) == len(responses) - len(refused) + 1


def test_a_limited_native_call_is_exhausted(strict: RunningGateway, services: Services) -> None:
    """Over gRPC the status is RESOURCE_EXHAUSTED, not UNAVAILABLE."""
    with grpc.insecure_channel(strict.target) as channel:
        codes = [login(channel) for _ in range(BURST * 5)]

    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}


def test_a_device_is_limited_by_itself(
    strict: RunningGateway, services: Services, token_mint: TokenMint
) -> None:
    """One device is limited, whatever token it uses; its neighbours behind its address aren't."""
    company_id, device_id = uuid.uuid4(), uuid.uuid4()

    def upload(device: uuid.UUID) -> httpx.Response:
        headers = authorization(token_mint.device(company_id, device)) | {"content-type": RAW}
        return client_.post("/v1/telemetry", content=b"\x01", headers=headers)

    with client(strict, "127.0.0.13") as client_:
        own = [upload(device_id) for _ in range(BURST * 5)]
        neighbours = [upload(uuid.uuid4()) for _ in range(BURST * 5)]

    assert statuses(own) == {200, 429}
    assert statuses(neighbours) == {200}
    refused = next(response for response in own if response.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-dashtrack-reason"] == "RATE_LIMITED"


def test_uploads_do_not_count_against_an_address(
    strict: RunningGateway, services: Services, token_mint: TokenMint
) -> None:
    """Fleets sit behind one address of their carrier."""
    with client(strict, "127.0.0.14") as fleet:
        for _ in range(BURST * 5):
            token = token_mint.device(uuid.uuid4())
            headers = authorization(token) | {"content-type": RAW}
            fleet.post("/v1/telemetry", content=b"\x01", headers=headers)
        after = fleet.get("/v1/me", headers=authorization(token_mint.user(Role.MASTER)))

    assert after.status_code == httpx.codes.OK
