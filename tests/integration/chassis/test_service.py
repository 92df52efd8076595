"""The life of a service, with a real PostgreSQL and NATS."""

import asyncio
import contextlib
import uuid
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiohttp import web
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.chassis.errors import Unavailable
from services.chassis.identity import Role
from services.chassis.rpc.methods import ContractError
from services.chassis.service import App, Runtime, Worker, serve
from tests.fixtures.nats import NatsServer
from tests.fixtures.otlp import TraceReceiver
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.tokens import TokenMint, bearer
from tests.integration.chassis.conftest import Start
from tests.integration.chassis.kettle import KettleSettings
from tests.integration.chassis.waiting import until
from tests.unit.chassis.echo import SERVICE, EchoService, call
from tests.unit.chassis.test_pipeline_failures import details_of

make_reflection_stub: Any = reflection_pb2_grpc.ServerReflectionStub
Serving = health_pb2.HealthCheckResponse


async def test_service_serves_on_free_ports(start: Start) -> None:
    """A service comes up with its schema, and answers."""
    async with start() as kettle:
        assert await call(kettle.channel, "Unary") == ["hello"]
        assert kettle.running.grpc_port != kettle.running.http_port


async def test_tokens_are_verified_with_the_published_keys(
    start: Start, token_mint: TokenMint
) -> None:
    """A service trusts what auth publishes, without being told a key."""
    async with start() as kettle:
        metadata = bearer(token_mint.user(Role.MANAGER, uuid.uuid4()))

        async def admitted() -> bool:
            with contextlib.suppress(grpc.aio.AioRpcError):
                return await call(kettle.channel, "ManagersUnary", metadata=metadata) == ["hello"]
            return False

        await until(admitted)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(
                kettle.channel, "ManagersUnary", metadata=bearer(TokenMint().user(Role.MANAGER))
            )
        assert details_of(caught.value)["ErrorInfo"].reason == "TOKEN_INVALID"


async def test_health_names_the_server_and_its_services(start: Start) -> None:
    """Probes may ask for the whole or for a part."""
    async with start() as kettle:
        assert await kettle.health() == Serving.SERVING
        assert await kettle.health(SERVICE) == Serving.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await kettle.health("no.such.Service")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_own_checks_hold_up_the_start(start: Start) -> None:
    """A service that isn't ready for reasons of its own says so."""
    ready = False

    async def check() -> None:
        if not ready:
            raise Unavailable("No water.")

    async with start(waiting=False, checks={"water": check}) as kettle:
        await asyncio.sleep(0.5)
        assert await kettle.health() == Serving.NOT_SERVING
        ready = True
        await kettle.running.until_serving()
        assert await kettle.health() == Serving.SERVING


async def test_reflection_lists_the_public_contract(start: Start) -> None:
    """Any service tells about every public one, and about no internal one."""
    async with start() as kettle:
        stub: Any = make_reflection_stub(kettle.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = [answer async for answer in stub.ServerReflectionInfo(iter([request]))]
        names = {service.name for service in answers[0].list_services_response.service}
        assert {"dashtrack.users.v1.UserService", "grpc.health.v1.Health"} <= names
        assert not [name for name in names if ".internal." in name]


async def test_reflection_does_not_tell_of_internal_files(start: Start) -> None:
    """Asking by name doesn't help either."""
    async with start() as kettle:
        stub: Any = make_reflection_stub(kettle.channel)
        symbols = ["dashtrack.auth.internal.v1.TokenService", "dashtrack.users.v1.UserService"]
        requests = [
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
            for symbol in symbols
        ]
        answers = [answer async for answer in stub.ServerReflectionInfo(iter(requests))]
        assert [answer.HasField("error_response") for answer in answers] == [True, False]


async def test_metrics_are_served(start: Start) -> None:
    """A scraper finds the promised series, and exemplars if it understands them."""
    async with start() as kettle:
        await call(kettle.channel, "Unary")
        status, content_type, text = await kettle.get("/metrics")
        assert (status, content_type.partition(";")[0]) == (200, "text/plain")
        for series in (
            "db_connections_active",
            "db_query_duration_seconds_count",
            'db_queries_total{operation="select"}',
            "process_resident_memory_bytes",
            "python_asyncio_tasks",
            "python_threads",
            "python_gc_pause_seconds_count",
            "python_event_loop_lag_seconds",
            'grpc_server_handled_total{grpc_code="OK"',
            'dependency_up{dependency="nats"} 1.0',
        ):
            assert series in text
        _, content_type, _ = await kettle.get("/metrics", accept="application/openmetrics-text")
        assert content_type.startswith("application/openmetrics-text")


async def test_own_routes_are_served_beside_health(start: Start) -> None:
    """A service may serve a few things of its own over HTTP."""

    async def tea(_: web.Request) -> web.Response:
        return web.Response(text="earl grey")

    async with start(http_routes=[web.get("/tea", tea)]) as kettle:
        assert (await kettle.get("/tea"))[2] == "earl grey"
        status, _, text = await kettle.get("/healthz")
        assert (status, text) == (200, '{"status": "SERVING"}')


async def test_killed_database_is_unavailable_and_recovers(
    start: Start, postgres_server: PostgresServer
) -> None:
    """Callers are asked to come again, and are served when they do."""
    async with start() as kettle:
        await call(kettle.channel, "Unary")
        postgres_server.kill()
        try:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(kettle.channel, "Unary")
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            details = details_of(caught.value)
            assert details["ErrorInfo"].reason == "UNAVAILABLE"
            assert details["RetryInfo"].retry_delay.ToMilliseconds() > 0
            assert dict(caught.value.trailing_metadata())["retry-after"] == "1"
        finally:
            postgres_server.start()

        async def served() -> bool:
            with contextlib.suppress(grpc.aio.AioRpcError):
                return await call(kettle.channel, "Unary") == ["hello"]
            return False

        await until(served)


async def test_lost_database_ends_serving_after_a_while(
    start: Start, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service without its database is taken out of the load balancer, and put back."""
    monkeypatch.setattr("services.chassis.health._SERVING_INTERVAL_S", 0.05)
    async with start() as kettle:
        postgres_server.kill()

        async def healthy() -> bool:
            return bool(await kettle.health() == Serving.SERVING)

        async def unhealthy() -> bool:
            return not await healthy()

        try:
            await until(unhealthy)
            assert (await kettle.get("/healthz"))[0] == 503
        finally:
            postgres_server.start()
        await until(healthy)


async def test_lost_nats_does_not_end_serving(
    start: Start, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is acknowledged doesn't depend on NATS, so calls go on without it."""
    monkeypatch.setattr("services.chassis.health._SERVING_INTERVAL_S", 0.02)
    async with start() as kettle:
        nats_server.kill()

        async def noticed() -> bool:
            return 'dependency_up{dependency="nats"} 0.0' in (await kettle.get("/metrics"))[2]

        try:
            await until(noticed)
            await asyncio.sleep(0.5)
            assert await kettle.health() == Serving.SERVING
            assert await call(kettle.channel, "Unary") == ["hello"]
        finally:
            nats_server.start()


async def test_service_may_start_before_its_database(
    start: Start, postgres_server: PostgresServer
) -> None:
    """Started without a database, a service waits, says so, and then serves."""
    postgres_server.kill()
    started = False
    try:
        async with start(waiting=False) as kettle:
            assert await kettle.health() == Serving.NOT_SERVING
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(kettle.channel, "Unary")
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            started = True
            postgres_server.start()
            await kettle.running.until_serving()
            assert await call(kettle.channel, "Unary") == ["hello"]
    finally:
        if not started:
            postgres_server.start()


async def test_mistake_in_the_build_ends_the_start(
    kettle: KettleSettings, migrations: Path
) -> None:
    """What waiting can't mend is raised."""
    service = EchoService()
    service.methods = ["Undeclared"]

    async def build(_: Runtime[KettleSettings]) -> App:
        return App(service_names=[SERVICE], register=service.register)

    with pytest.raises(ContractError):
        async with serve("kettle", kettle, build, migrations=migrations):
            pass


@pytest.mark.parametrize("failure", [RuntimeError("first try"), asyncio.CancelledError()])
async def test_workers_run_and_are_started_again(start: Start, failure: BaseException) -> None:
    """Background work that fails, or is cut short, is tried again and ends with the service."""
    runs = 0
    ended = False

    async def work(stopping: asyncio.Event) -> None:
        nonlocal runs, ended
        runs += 1
        if runs == 1:
            raise failure
        await stopping.wait()
        ended = True

    async with start(workers=[Worker("stirring", work)]) as kettle:
        await until(lambda: runs == 2)
        text = (await kettle.get("/metrics"))[2]
        assert 'worker_restarts_total{worker="stirring"} 1.0' in text
    assert ended


async def test_trace_of_a_call_shows_its_queries(
    start: Start, kettle: KettleSettings, trace_receiver: TraceReceiver
) -> None:
    """A sampled call is exported with its server span and, below it, each query once."""
    settings = kettle.model_copy(
        update={"otlp_endpoint": f"http://127.0.0.1:{trace_receiver.port}"}
    )
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    # Another service in the same process keeps its spans to itself.
    async with start(), start(settings=settings) as running, start():
        metadata = (("traceparent", f"00-{trace_id}-{parent_id}-01"),)
        await call(running.channel, "Unary", metadata=metadata)
    # Stopping exports what was left.
    spans = trace_receiver.spans(trace_id)
    (server,) = [span for span in spans if span.name == f"{SERVICE}/Unary"]
    assert (server.service, server.parent_span_id) == ("kettle", parent_id)
    queries = [span for span in spans if "kettles" in span.attributes.get("db.statement", "")]
    assert [span.parent_span_id for span in queries] == [server.span_id]
