"""The series and spans that calls leave behind."""

from typing import Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from services.chassis.errors import InvalidArgument, QuotaExceeded, Unavailable
from tests.unit.chassis.conftest import EchoServer
from tests.unit.chassis.echo import SERVICE, SHAPES, Said, call
from tests.unit.chassis.test_pipeline_failures import failure, raising

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
SAMPLED = (("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01"),)
UNSAMPLED = (("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-00"),)
KINDS = {
    "Unary": "UNARY",
    "ServerStream": "SERVER_STREAMING",
    "ClientStream": "CLIENT_STREAMING",
    "BidiStream": "BIDI_STREAMING",
}


def labels(shape: str) -> dict[str, str]:
    """Return the labels of a method's series."""
    return {"grpc_type": KINDS[shape], "grpc_service": SERVICE, "grpc_method": shape}


@pytest.mark.parametrize("shape", SHAPES)
async def test_calls_are_counted_and_timed(echo_server: EchoServer, shape: str) -> None:
    """Each shape leaves the canonical gRPC series, with the code that it ended with."""
    await call(echo_server.channel, shape)
    echo_server.service.behaviour = raising(InvalidArgument("No."))
    await failure(echo_server, shape)
    await echo_server.until_observed(2)
    of_method = labels(shape)
    assert echo_server.value("grpc_server_started_total", **of_method) == 2
    assert echo_server.value("grpc_server_handled_total", **of_method, grpc_code="OK") == 1
    refused = echo_server.value(
        "grpc_server_handled_total", **of_method, grpc_code="INVALID_ARGUMENT"
    )
    assert refused == 1
    assert echo_server.value("grpc_server_handling_seconds_count", **of_method) == 2


@pytest.mark.parametrize("shape", SHAPES)
async def test_refusals_for_a_quota_are_counted(echo_server: EchoServer, shape: str) -> None:
    """By the quota, and no other refusal with them."""
    for err in (QuotaExceeded("kettles", limit=2, used=2), InvalidArgument("No.")):
        echo_server.service.behaviour = raising(err)
        await failure(echo_server, shape)
    await echo_server.until_observed(2)

    assert echo_server.value("quota_refusals_total", quota="kettles") == 1


async def test_messages_of_streams_are_counted(echo_server: EchoServer) -> None:
    """Both directions of a stream are counted by message."""
    await call(echo_server.channel, "BidiStream", "a", "b", "c")
    await echo_server.until_observed()
    assert echo_server.value("grpc_server_msg_received_total", **labels("BidiStream")) == 3
    assert echo_server.value("grpc_server_msg_sent_total", **labels("BidiStream")) == 3


@pytest.mark.parametrize("shape", SHAPES)
async def test_sampled_call_continues_the_callers_trace(
    echo_server: EchoServer, shape: str
) -> None:
    """A call whose caller samples it gets a server span under the caller's."""
    await call(echo_server.channel, shape, metadata=SAMPLED)
    await echo_server.until_observed()
    (span,) = echo_server.spans.get_finished_spans()
    assert trace.format_trace_id(span.context.trace_id) == TRACE_ID
    assert span.parent is not None
    assert trace.format_span_id(span.parent.span_id) == PARENT_ID
    assert (span.name, span.kind) == (f"{SERVICE}/{shape}", SpanKind.SERVER)
    assert span.attributes is not None
    assert span.attributes["rpc.system.name"] == "grpc"
    assert span.attributes["rpc.method"] == f"{SERVICE}/{shape}"
    assert span.attributes["rpc.response.status_code"] == "OK"
    assert span.status.status_code is StatusCode.UNSET


async def test_failure_of_the_server_marks_the_span(echo_server: EchoServer) -> None:
    """What is the server's fault is an error of its span."""
    echo_server.service.behaviour = raising(Unavailable("Away."))
    await failure(echo_server, "Unary", metadata=SAMPLED)
    await echo_server.until_observed()
    (span,) = echo_server.spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "UNAVAILABLE"


async def test_failure_of_the_caller_does_not_mark_the_span(echo_server: EchoServer) -> None:
    """What is the caller's fault is a normal day for the server."""
    echo_server.service.behaviour = raising(InvalidArgument("No."))
    await failure(echo_server, "Unary", metadata=SAMPLED)
    await echo_server.until_observed()
    (span,) = echo_server.spans.get_finished_spans()
    assert span.status.status_code is StatusCode.UNSET


async def test_crash_is_recorded_on_the_span_once(echo_server: EchoServer) -> None:
    """The span of a call that crashed tells what was raised, and none of what it said."""
    echo_server.service.behaviour = raising(RuntimeError("a bug"))
    await failure(echo_server, "Unary", metadata=SAMPLED)
    await echo_server.until_observed()
    (span,) = echo_server.spans.get_finished_spans()
    assert [event.name for event in span.events] == ["exception"]
    assert span.events[0].attributes == {"exception.type": "RuntimeError"}


@pytest.mark.parametrize("shape", SHAPES)
async def test_unsampled_call_leaves_no_span_and_passes_its_trace_on(
    echo_server: EchoServer, shape: str
) -> None:
    """The trace of an unsampled call is still known to logs and to what the method calls."""
    seen: list[str] = []

    async def behaviour(_: Any, __: Any) -> Any:
        context = trace.get_current_span().get_span_context()
        seen.append(trace.format_trace_id(context.trace_id))
        assert not context.trace_flags.sampled
        return Said()

    echo_server.service.behaviour = behaviour
    await call(echo_server.channel, shape, metadata=UNSAMPLED)
    await echo_server.until_observed()
    assert set(seen) == {TRACE_ID}
    assert not echo_server.spans.get_finished_spans()


@pytest.mark.parametrize(
    "traceparent", ["", "rubbish", f"00-{'0' * 32}-{PARENT_ID}-00", f"00-{TRACE_ID}-zz-00"]
)
async def test_malformed_traceparent_is_ignored(echo_server: EchoServer, traceparent: str) -> None:
    """Nobody's headers can break a call."""
    metadata = (("traceparent", traceparent),)
    assert await call(echo_server.channel, "Unary", metadata=metadata) == ["hello"]


async def test_latency_of_a_sampled_call_names_its_trace(echo_server: EchoServer) -> None:
    """The histogram carries the trace id as an exemplar."""
    await call(echo_server.channel, "Unary", metadata=SAMPLED)
    await echo_server.until_observed()
    exemplars = [
        sample.exemplar.labels
        for family in echo_server.registry.collect()
        for sample in family.samples
        if sample.name == "grpc_server_handling_seconds_bucket" and sample.exemplar
    ]
    assert exemplars == [{"trace_id": TRACE_ID}]


async def test_expired_call_is_counted_as_such(echo_server: EchoServer) -> None:
    """A call that its caller's deadline ended is told from one that the caller gave up."""
    from tests.unit.chassis.test_pipeline_limits import stuck

    echo_server.service.behaviour = stuck
    await failure(echo_server, "BriefUnary")
    await echo_server.until_observed()
    code = grpc.StatusCode.DEADLINE_EXCEEDED.name
    of_method = {"grpc_type": "UNARY", "grpc_service": SERVICE, "grpc_method": "BriefUnary"}
    assert echo_server.value("grpc_server_handled_total", **of_method, grpc_code=code) == 1
