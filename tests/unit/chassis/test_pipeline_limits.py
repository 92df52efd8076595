"""Deadlines and validation, and what hot methods go without."""

import asyncio
from typing import Any

import grpc
import pytest

from services.chassis.rpc.deadlines import remaining_s
from tests.unit.chassis.conftest import EchoServer
from tests.unit.chassis.echo import SERVICE, SHAPES, Said, call
from tests.unit.chassis.test_pipeline_failures import details_of, failure

TOO_LONG = "x" * 30


async def stuck(_: Any, __: Any) -> Any:
    """Behave as if what the method waits for never came."""
    await asyncio.Event().wait()


@pytest.mark.parametrize("shape", SHAPES)
async def test_call_without_deadline_gets_the_methods_own(
    echo_server: EchoServer, shape: str
) -> None:
    """A call for which nobody set a limit ends all the same."""
    echo_server.service.behaviour = stuck
    error = await failure(echo_server, f"Brief{shape}")
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert details_of(error)["ErrorInfo"].reason == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize("shape", SHAPES)
async def test_longer_deadline_is_capped(echo_server: EchoServer, shape: str) -> None:
    """A caller can't keep a method busy for longer than the method allows."""
    echo_server.service.behaviour = stuck
    error = await failure(echo_server, f"Brief{shape}", timeout=30)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("shape", SHAPES)
async def test_shorter_deadline_is_obeyed(echo_server: EchoServer, shape: str) -> None:
    """A caller in a hurry is answered in its time."""
    echo_server.service.behaviour = stuck
    error = await failure(echo_server, shape, timeout=0.1)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("shape", SHAPES)
async def test_method_knows_what_is_left(echo_server: EchoServer, shape: str) -> None:
    """What a method asks of others can be limited to what is left of its own time."""
    left: list[float | None] = []

    async def behaviour(_: Any, __: Any) -> Any:
        left.append(remaining_s())
        return Said()

    echo_server.service.behaviour = behaviour
    await call(echo_server.channel, shape, timeout=5)
    assert left[0] is not None
    assert 0 < left[0] < 5


async def test_unbounded_stream_has_no_deadline(echo_server: EchoServer) -> None:
    """A watch lives for as long as its caller wants."""
    left: list[float | None] = []

    async def behaviour(_: Any, __: Any) -> Any:
        left.append(remaining_s())
        return Said()

    echo_server.service.behaviour = behaviour
    await call(echo_server.channel, "Endless")
    assert left == [None, None]


async def test_time_out_of_the_methods_own_is_not_a_deadline(echo_server: EchoServer) -> None:
    """A TimeoutError that a method lets slip is a mistake of ours, not the caller's deadline."""

    async def behaviour(_: Any, __: Any) -> Any:
        raise TimeoutError

    echo_server.service.behaviour = behaviour
    assert (await failure(echo_server, "Unary")).code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("shape", SHAPES)
async def test_request_that_breaks_a_rule_is_refused(echo_server: EchoServer, shape: str) -> None:
    """The rules of the protos hold for each request, and the answer names the field."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(echo_server.channel, shape, TOO_LONG)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    details = details_of(caught.value)
    assert details["ErrorInfo"].reason == "INVALID_ARGUMENT"
    assert [entry.field for entry in details["BadRequest"].field_violations] == ["text"]


async def test_later_requests_of_a_stream_are_checked_too(echo_server: EchoServer) -> None:
    """A stream that begins well may not go on badly."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(echo_server.channel, "BidiStream", "fine", TOO_LONG)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_violation_in_a_list_names_its_place(echo_server: EchoServer) -> None:
    """The path of a field tells which element it is in."""
    method = echo_server.channel.unary_unary(
        f"/{SERVICE}/Unary", Said.SerializeToString, Said.FromString
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(Said(parts=[Said(), Said(text=TOO_LONG)]))
    violations = details_of(caught.value)["BadRequest"].field_violations
    assert [entry.field for entry in violations] == ["parts[1].text"]


async def test_hot_method_checks_its_requests_itself(echo_server: EchoServer) -> None:
    """A hot method goes without the layers for validation and deadlines."""
    left: list[float | None] = []

    async def behaviour(request: Any, _: Any) -> Any:
        left.append(remaining_s())
        return Said(text=request.text)

    echo_server.service.behaviour = behaviour
    assert await call(echo_server.channel, "Hot", TOO_LONG) == [TOO_LONG]
    assert left == [None]
