"""A server with the pipeline around the echo service, and a channel to it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc.aio
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from prometheus_client import CollectorRegistry

from services.chassis.identity import Caller
from services.chassis.rpc.pipeline import Pipeline
from services.chassis.tokens import TokenVerifier
from tests.fixtures.tokens import ISSUER, StaticKeys, TokenMint
from tests.unit.chassis.echo import SERVICE, EchoService


class Revoked:
    """Revocations that a test sets by hand."""

    def __init__(self) -> None:
        self.subjects: set[str] = set()

    def covers(self, caller: Caller, issued_at_s: float) -> bool:
        """Tell whether the test revoked the caller."""
        return caller.subject in self.subjects


@dataclass(frozen=True)
class EchoServer:
    """Everything that a test of the pipeline looks at."""

    service: EchoService
    channel: grpc.aio.Channel
    registry: CollectorRegistry
    spans: InMemorySpanExporter
    revoked: Revoked

    def value(self, series: str, **labels: str) -> float:
        """Return the value of a series, 0 if there is none."""
        return self.registry.get_sample_value(series, labels) or 0.0

    async def until_observed(self, calls: int = 1) -> None:
        """Wait until so many calls have left their traces: a caller is answered before that."""
        while True:
            if self._handled() >= calls:
                return
            await asyncio.sleep(0)

    def _handled(self) -> float:
        return sum(
            sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == "grpc_server_handled_total"
        )


@pytest.fixture
def revoked() -> Revoked:
    """Nobody, until a test says so."""
    return Revoked()


@pytest.fixture
def verifier(token_mint: TokenMint, revoked: Revoked) -> TokenVerifier:
    """A verifier that trusts the mint of the session."""
    return TokenVerifier(StaticKeys(token_mint), revoked, issuer=ISSUER)


@pytest.fixture
async def echo_server(verifier: TokenVerifier, revoked: Revoked) -> AsyncIterator[EchoServer]:
    """The echo service behind the pipeline; calls are traced only if their caller samples them."""
    spans = InMemorySpanExporter()
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    registry = CollectorRegistry()
    pipeline = Pipeline(registry, provider.get_tracer("tests"))
    service = EchoService()
    await pipeline.install(service.register, verifier, hot_methods=frozenset({f"/{SERVICE}/Hot"}))
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([pipeline])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield EchoServer(service, channel, registry, spans, revoked)
    await server.stop(None)
    provider.shutdown()
