"""What callers see when a method raises, in all four shapes of RPCs."""

import asyncio
import logging
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from services.chassis.errors import (
    DomainError,
    EditConflict,
    FieldViolation,
    InvalidArgument,
    Kind,
    Unavailable,
)
from services.chassis.rpc.failures import STATUS_BY_KIND
from tests.unit.chassis.conftest import EchoServer
from tests.unit.chassis.echo import SERVICE, SHAPES, Behaviour, call


class KettleNotFound(DomainError):
    """A fact of the test's own."""

    kind = Kind.NOT_FOUND
    reason = "KETTLE_NOT_FOUND"


def raising(error: BaseException) -> Behaviour:
    """Behave by raising."""

    async def behaviour(_: Any, __: Any) -> Any:
        raise error

    return behaviour


async def failure(server: EchoServer, method: str, **options: Any) -> grpc.aio.AioRpcError:
    """Call and return the error that it ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(server.channel, method, **options)
    return caught.value


async def raw_call(server: EchoServer, method: str, body: bytes) -> None:
    """Call a method with any bytes."""
    channel: Any = server.channel
    await channel.unary_unary(f"/{SERVICE}/{method}")(body)


def details_of(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    """Unpack the details of a status by their type."""
    metadata = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    unpacked = {}
    for detail in status.details:
        name = detail.TypeName().rpartition(".")[2]
        message = getattr(error_details_pb2, name)()
        detail.Unpack(message)
        unpacked[name] = message
    return unpacked


@pytest.mark.parametrize("shape", SHAPES)
async def test_each_shape_answers(echo_server: EchoServer, shape: str) -> None:
    """A method that succeeds is answered with what it returns."""
    assert "hello" in await call(echo_server.channel, shape)


@pytest.mark.parametrize("shape", SHAPES)
async def test_domain_error_becomes_status_with_reason(echo_server: EchoServer, shape: str) -> None:
    """A domain error arrives as its kind's status, with reason, domain and facts."""
    echo_server.service.behaviour = raising(KettleNotFound("No such kettle.", kettle_id="k1"))
    error = await failure(echo_server, shape)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == "No such kettle."
    info = details_of(error)["ErrorInfo"]
    assert (info.reason, info.domain) == ("KETTLE_NOT_FOUND", "dashtrack")
    assert dict(info.metadata) == {"kettle_id": "k1"}


def test_every_kind_has_a_status() -> None:
    """No kind of error is left without a status of its own."""
    assert set(STATUS_BY_KIND) == set(Kind)
    assert len(set(STATUS_BY_KIND.values())) == len(Kind)


async def test_unavailable_says_when_to_try_again(echo_server: EchoServer) -> None:
    """RetryInfo tells gRPC clients, and a whole number of seconds tells HTTP clients."""
    echo_server.service.behaviour = raising(Unavailable("Away.", retry_after_s=1.5))
    error = await failure(echo_server, "Unary")
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert details_of(error)["RetryInfo"].retry_delay.ToMilliseconds() == 1500
    assert dict(error.trailing_metadata())["retry-after"] == "2"


async def test_violations_arrive_field_by_field(echo_server: EchoServer) -> None:
    """BadRequest names each field at fault."""
    violations = [FieldViolation("email", "no address"), FieldViolation("name", "empty")]
    echo_server.service.behaviour = raising(InvalidArgument("Bad.", violations=violations))
    details = details_of(await failure(echo_server, "Unary"))
    assert [violation.field for violation in details["BadRequest"].field_violations] == [
        "email",
        "name",
    ]


async def test_huge_errors_still_arrive(echo_server: EchoServer) -> None:
    """An error with far too much to tell is cut to what fits into headers."""
    violations = [FieldViolation(f"field_{n}", "x" * 300) for n in range(1000)]
    echo_server.service.behaviour = raising(InvalidArgument("y" * 9000, violations=violations))
    error = await failure(echo_server, "Unary")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details_of(error)["BadRequest"].field_violations


@pytest.mark.parametrize("shape", SHAPES)
async def test_unforeseen_exception_tells_nothing_of_itself(
    echo_server: EchoServer, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    """INTERNAL has a fixed text and the trace id, and nothing of what was raised."""
    echo_server.service.behaviour = raising(RuntimeError("hunter2"))
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    metadata = (("traceparent", f"00-{trace_id}-b7ad6b7169203331-00"),)
    error = await failure(echo_server, shape, metadata=metadata)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "hunter2" not in str(error)
    assert "hunter2" not in str(error.trailing_metadata())
    assert details_of(error)["RequestInfo"].request_id == trace_id


@pytest.mark.parametrize("shape", SHAPES)
async def test_unforeseen_exception_is_logged_once_with_its_stack(
    echo_server: EchoServer,
    shape: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Operators find one log event with the stack."""
    echo_server.service.behaviour = raising(RuntimeError("a bug"))
    await failure(echo_server, shape)
    logged = capsys.readouterr().out + "".join(
        record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR
    )
    assert logged.count("call_crashed") == 1
    assert logged.count("RuntimeError: a bug") == 1


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    ],
)
async def test_answer_of_another_service_does_not_leak(
    echo_server: EchoServer, code: grpc.StatusCode
) -> None:
    """A part of the system that is away makes UNAVAILABLE of a call that needs it."""
    upstream = grpc.aio.AioRpcError(
        code, grpc.aio.Metadata(), grpc.aio.Metadata(), "10.0.0.7 refused"
    )
    echo_server.service.behaviour = raising(upstream)
    error = await failure(echo_server, "Unary")
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "10.0.0.7" not in str(error.details())
    assert details_of(error)["ErrorInfo"].reason == "UNAVAILABLE"


@pytest.mark.parametrize("shape", ["Unary", "ServerStream"])
async def test_abort_by_a_library_passes_through(echo_server: EchoServer, shape: str) -> None:
    """A status that was already sent is not answered a second time."""

    async def behaviour(_: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.DATA_LOSS, "gone")

    echo_server.service.behaviour = behaviour
    error = await failure(echo_server, shape)
    assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "gone")


@pytest.mark.parametrize("shape", SHAPES)
async def test_caller_that_gives_up_cancels_the_work(echo_server: EchoServer, shape: str) -> None:
    """The method is cancelled, and the call is counted as cancelled rather than failed."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def behaviour(_: Any, __: Any) -> Any:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    echo_server.service.behaviour = behaviour
    task = asyncio.create_task(call(echo_server.channel, shape))
    await began.wait()
    task.cancel()
    await ended.wait()
    await asyncio.wait([task])
    handled = 0.0
    while not handled:
        await asyncio.sleep(0.01)
        handled = sum(
            sample.value
            for family in echo_server.registry.collect()
            for sample in family.samples
            if sample.name == "grpc_server_handled_total"
            and sample.labels["grpc_code"] == "CANCELLED"
        )
    assert handled == 1


@pytest.mark.parametrize("shape", SHAPES)
async def test_undecodable_request_is_the_callers_fault(
    echo_server: EchoServer, shape: str
) -> None:
    """Bytes that are no message are answered INVALID_ARGUMENT."""
    channel: Any = echo_server.channel
    path = f"/{SERVICE}/{shape}"
    garbage = b"\x0a\xff"
    calls = {
        "Unary": lambda: channel.unary_unary(path)(garbage),
        "ServerStream": lambda: channel.unary_stream(path)(garbage).read(),
        "ClientStream": lambda: channel.stream_unary(path)(iter([garbage])),
        "BidiStream": lambda: channel.stream_stream(path)(iter([garbage])).read(),
    }
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await calls[shape]()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_undecodable_request_of_a_hot_method_is_the_callers_fault(
    echo_server: EchoServer,
) -> None:
    """The hot path decodes as carefully as the others."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw_call(echo_server, "Hot", b"\x0a\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_edit_conflict_is_aborted(echo_server: EchoServer) -> None:
    """Concurrent edits answer ABORTED, which clients repeat from the read on."""
    echo_server.service.behaviour = raising(EditConflict("Changed meanwhile."))
    assert (await failure(echo_server, "Unary")).code() is grpc.StatusCode.ABORTED


async def test_unknown_method_is_unimplemented(echo_server: EchoServer) -> None:
    """What isn't served is said not to be."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw_call(echo_server, "Nope", b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_details_agree_with_the_status(echo_server: EchoServer) -> None:
    """The rich status says the same code and message as the plain one."""
    echo_server.service.behaviour = raising(KettleNotFound("Kein Kessel für Müller."))
    error = await failure(echo_server, "Unary")
    call_of_error: Any = _Call(error)
    status = rpc_status.from_call(call_of_error)
    assert status is not None
    assert status.message == "Kein Kessel für Müller."


class _Call:
    """Gives an asynchronous error the face of a call, which grpc-status reads."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code
        self.details = error.details
        self.trailing_metadata = error.trailing_metadata
