"""How a service stops: nothing accepted is left unanswered, nobody new is lured in."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis.service import Worker
from tests.integration.chassis.conftest import Start
from tests.integration.chassis.kettle import KettleSettings
from tests.integration.chassis.waiting import until
from tests.unit.chassis.echo import SERVICE, Said, call

Serving = health_pb2.HealthCheckResponse


def hold_the_stop(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Let the time that load balancers get last until the event, however slow the machine is."""
    noticed = asyncio.Event()

    async def wait(delay_s: float) -> None:
        assert delay_s > 0
        await noticed.wait()

    monkeypatch.setattr("services.chassis.lifecycle._let_balancers_notice", wait)
    return noticed


async def test_stopping_service_is_ready_for_nobody(
    start: Start, kettle: KettleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While load balancers are given time to notice, passing checks change nothing."""
    monkeypatch.setattr("services.chassis.health._SERVING_INTERVAL_S", 0.02)
    monkeypatch.setattr("services.chassis.health._STARTING_INTERVAL_S", 0.02)
    noticed = hold_the_stop(monkeypatch)
    checked = asyncio.Event()

    async def check() -> None:
        checked.set()

    settings = kettle.model_copy(update={"shutdown_delay_s": 1.0})
    running = start(settings=settings, checks={"water": check})
    service = await running.__aenter__()
    stopping = asyncio.create_task(running.__aexit__(None, None, None))

    async def refused() -> bool:
        return (await service.get("/healthz"))[0] == 503

    await until(refused)
    for _ in range(3):
        checked.clear()
        await checked.wait()
    assert await refused()
    noticed.set()
    await stopping


async def test_stop_lets_running_calls_finish_and_then_drains(start: Start) -> None:
    """Nothing accepted is left unanswered, and what was taken in is flushed afterwards."""
    happened: list[str] = []
    began = asyncio.Event()
    go_on = asyncio.Event()

    async def drain() -> None:
        happened.append("drained")

    async def work(stopping: asyncio.Event) -> None:
        await stopping.wait()
        happened.append("worker ended")

    async def slow(request: Any, _: Any) -> Any:
        began.set()
        await go_on.wait()
        happened.append("answered")
        return Said(text=request.text)

    service = start(drain=[drain], workers=[Worker("stirring", work)])
    kettle = await service.__aenter__()
    kettle.service.behaviour = slow
    address = f"127.0.0.1:{kettle.running.grpc_port}"
    async with grpc.aio.insecure_channel(address) as channel:
        running = asyncio.create_task(call(channel, "Unary"))
        await began.wait()
        stopping = asyncio.create_task(service.__aexit__(None, None, None))
        await asyncio.sleep(0.2)
        assert happened == []
        go_on.set()
        await stopping
        assert await running == ["hello"]
    assert happened == ["answered", "drained", "worker ended"]


async def test_stop_says_so_before_it_turns_anybody_away(
    start: Start, kettle: KettleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load balancer hears of the end while calls are still served."""
    noticed = hold_the_stop(monkeypatch)
    settings = kettle.model_copy(update={"shutdown_delay_s": 0.5})
    service = start(settings=settings)
    running = await service.__aenter__()
    address = f"127.0.0.1:{running.running.grpc_port}"
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert (await watch.read()).status == Serving.SERVING
        stopping = asyncio.create_task(service.__aexit__(None, None, None))
        assert (await watch.read()).status == Serving.NOT_SERVING
        assert await call(channel, "Unary") == ["hello"]
        watch.cancel()
        noticed.set()
        await stopping
