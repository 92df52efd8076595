"""A service that is away is 503 with a time to come back, never 500, and comes back by itself."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message

from gateway import GatewaySettings, ServiceAddress
from services.chassis.identity import Role
from tests.fixtures.ports import reserved_ports
from tests.fixtures.tokens import TokenMint
from tests.fixtures.waiting import eventually
from tests.gateway.backend import Context, Services
from tests.gateway.calls import RAW, authorization, native_unary
from tests.gateway.envoy import RunningGateway, running_gateway

LIST = "dashtrack.companies.v1.CompanyService/ListCompanies"
CREATE = "dashtrack.companies.v1.CompanyService/CreateCompany"
UPLOAD = "dashtrack.device.v1.DeviceLinkHttpService/Upload"


def bring_back_companies(services: Services, gateway: RunningGateway) -> None:
    """Start companies and wait until each of Envoy's workers knows that it is back."""
    services.reset()
    services.start_one("companies")
    check = "/grpc.health.v1.Health/Check"

    def known() -> bool:
        for _ in range(8):
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(gateway.target, options=options) as channel:
                try:
                    native_unary(channel, check, b"", {"x-dashtrack-service": "companies"})
                except grpc.RpcError:
                    return False
        return True

    eventually(known, "companies again")


@pytest.fixture
def without_companies(services: Services, gateway: RunningGateway) -> Iterator[None]:
    """Take companies away, and bring it back afterwards."""
    services.stop_one("companies")
    yield
    bring_back_companies(services, gateway)


@pytest.mark.usefixtures("without_companies")
def test_a_service_that_is_away_is_unavailable(
    rest: httpx.Client, gateway: RunningGateway, token_mint: TokenMint
) -> None:
    """REST, gRPC and `/healthz` say so at once, before and after the health check noticed."""
    headers = authorization(token_mint.user(Role.MASTER))

    def refused() -> None:
        response = rest.get("/v1/companies", headers=headers)
        assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert response.headers["retry-after"] == "1"
        assert response.json()["details"][0]["reason"] == "UNAVAILABLE"
        with grpc.insecure_channel(gateway.target) as channel:
            with pytest.raises(grpc.RpcError) as raised:
                native_unary(channel, f"/{LIST}", b"", headers)
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE

    refused()
    eventually(lambda: rest.get("/healthz").status_code == 503, "the health check to notice")
    refused()
    assert rest.get("/readyz").status_code == httpx.codes.OK
    assert rest.get("/v1/me", headers=headers).status_code == httpx.codes.OK


def test_an_idempotent_call_is_tried_again(
    services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A read that met a moment of weakness succeeds all the same."""

    async def weak(_: Message, context: Context) -> Message:
        if len(services.calls) == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "a moment")
        return services.message(".dashtrack.companies.v1.ListCompaniesResponse")

    services.answers[LIST] = weak

    response = rest.get("/v1/companies", headers=authorization(token_mint.user(Role.MASTER)))

    assert response.status_code == httpx.codes.OK
    assert len(services.calls) == 2


def test_a_call_with_effects_is_never_tried_again(
    services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """Creating twice is worse than failing."""

    async def weak(_: Message, context: Context) -> Message:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "a moment")
        raise AssertionError

    services.answers[CREATE] = weak

    response = rest.post(
        "/v1/companies", json={}, headers=authorization(token_mint.user(Role.MASTER))
    )

    assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert len(services.calls) == 1


def test_a_service_that_dies_during_a_call_is_unavailable(
    services: Services, rest: httpx.Client, gateway: RunningGateway, token_mint: TokenMint
) -> None:
    """The connection breaks; the client is told to come back."""

    async def die(_: Message, __: Context) -> Any:
        # Not awaited: a server waits for its calls, of which this is one.
        services.dying = asyncio.ensure_future(services._servers.pop("companies").stop(None))
        await asyncio.sleep(20)

    services.answers[CREATE] = die

    response = rest.post(
        "/v1/companies", json={}, headers=authorization(token_mint.user(Role.MASTER))
    )
    bring_back_companies(services, gateway)

    assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE, response.text
    assert response.headers["retry-after"] == "1"


def test_while_the_keys_are_unknown_tokens_are_not_called_bad(
    settings: GatewaySettings,
    running_services: Services,
    tmp_path_factory: pytest.TempPathFactory,
    token_mint: TokenMint,
) -> None:
    """A client must not throw its token away because auth has not started yet."""
    auth = running_services.addresses["auth"]
    with reserved_ports(1) as (nobody,):
        away = ServiceAddress(auth.host, auth.grpc_port, nobody)
        alone = replace(settings, services={**settings.services, "auth": away}, otlp_endpoint=None)
        with running_gateway(alone, tmp_path_factory.mktemp("keyless")) as gateway:
            headers = authorization(token_mint.user(Role.MASTER))
            response = httpx.get(f"{gateway.url}/v1/me", headers=headers)
            without = httpx.post(f"{gateway.url}/v1/auth:login", json={})

    assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert response.headers["retry-after"] == "1"
    assert response.json()["details"][0]["reason"] == "UNAVAILABLE"
    assert without.status_code == httpx.codes.OK


def times_judged(gateway: RunningGateway, service: str) -> int:
    """Return how often an instance was to be ejected, though the last one never is."""
    prefix = f"cluster.{service}.outlier_detection"
    stats = httpx.get(f"{gateway.admin_url}/stats?filter={prefix}").text
    counts = dict(line.split(": ") for line in stats.splitlines())
    names = ("ejections_enforced_total", "ejections_overflow")
    return sum(int(counts[f"{prefix}.{name}"]) for name in names)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL])
def test_an_instance_is_not_ejected_for_what_it_answers(
    code: grpc.StatusCode,
    services: Services,
    rest: httpx.Client,
    gateway: RunningGateway,
    token_mint: TokenMint,
) -> None:
    """Boards of a suspended company, however many, don't cost the others an instance."""

    async def refuse(_: Message, context: Context) -> Message:
        await context.abort(code, "later", (("x-envoy-ratelimited", "true"),))
        raise AssertionError

    services.answers[UPLOAD] = refuse
    headers = authorization(token_mint.device(uuid.uuid4())) | {"content-type": RAW}
    before = times_judged(gateway, "telemetry")

    for _ in range(50):
        rest.post("/v1/telemetry", content=b"\x01", headers=headers)

    assert len(services.calls) == 50
    assert times_judged(gateway, "telemetry") == before


@pytest.mark.usefixtures("without_companies")
def test_an_instance_that_cannot_be_reached_is_ejected(
    rest: httpx.Client, gateway: RunningGateway, token_mint: TokenMint
) -> None:
    """Sooner than its health check notices."""
    headers = authorization(token_mint.user(Role.MASTER))
    before = times_judged(gateway, "companies")

    for _ in range(50):
        rest.post("/v1/companies", json={}, headers=headers)

    assert times_judged(gateway, "companies") > before
