"""One Envoy in front of stand-in services, shared by the tests of this folder."""

import json
from collections.abc import Iterator

import httpx
import pytest
from google.protobuf import descriptor_pb2

from gateway import GatewaySettings, TlsFiles, contract
from gateway.contract import Rpc
from tests.fixtures.otlp import TraceReceiver
from tests.fixtures.tokens import TokenMint
from tests.gateway.backend import Services
from tests.gateway.certificates import self_signed
from tests.gateway.envoy import RunningGateway, running_gateway

ALLOWED_ORIGIN = "https://console.example"


@pytest.fixture(scope="session")
def files() -> descriptor_pb2.FileDescriptorSet:
    """The compiled contract."""
    return contract.load()


@pytest.fixture(scope="session")
def rpcs(files: descriptor_pb2.FileDescriptorSet) -> list[Rpc]:
    """Every public RPC."""
    return list(contract.public_rpcs(files))


@pytest.fixture(scope="session")
def running_services(
    files: descriptor_pb2.FileDescriptorSet, rpcs: list[Rpc], token_mint: TokenMint
) -> Iterator[Services]:
    """The stand-in services."""
    jwks = json.dumps(token_mint.jwks()).encode()
    services = Services(rpcs, files, metrics_text=b"answer 42\n", jwks=jwks)
    with services.running():
        yield services


@pytest.fixture
def services(running_services: Services) -> Iterator[Services]:
    """The stand-in services, as if nothing had ever called them."""
    running_services.reset()
    yield running_services
    running_services.reset()


@pytest.fixture(scope="session")
def settings(
    running_services: Services, trace_receiver: TraceReceiver, certificate: TlsFiles
) -> GatewaySettings:
    """Settings that suit every test which doesn't need its own."""
    return GatewaySettings(
        services=running_services.addresses,
        listen_host="127.0.0.1",
        tls=certificate,
        otlp_endpoint=f"http://127.0.0.1:{trace_receiver.port}",
        trace_sample_ratio=1.0,
        cors_origins=[ALLOWED_ORIGIN],
        metrics_sources=["127.0.0.1/32"],
        concurrency=2,
    )


@pytest.fixture(scope="session")
def gateway(
    settings: GatewaySettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """The gateway."""
    with running_gateway(settings, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def rest(gateway: RunningGateway) -> Iterator[httpx.Client]:
    """A REST client of the gateway."""
    with httpx.Client(base_url=gateway.url, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """A certificate for localhost that signs itself."""
    return self_signed(tmp_path_factory.mktemp("tls"))
