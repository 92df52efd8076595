"""The one place where errors become statuses."""

import contextlib
import math
from collections.abc import AsyncGenerator
from typing import Any, NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from opentelemetry.semconv.attributes.exception_attributes import EXCEPTION_TYPE

from services.chassis.absence import is_away
from services.chassis.errors import DomainError, Kind, Unavailable
from services.chassis.logs import get_logger
from services.chassis.rpc.calls import Context, StreamHandler, UnaryHandler, current_call

DOMAIN = "dashtrack"
RETRY_AFTER_METADATA = "retry-after"
REASON_METADATA = "x-dashtrack-reason"
"""Repeats the reason where those can read it who parse no error body: boards, and the gateway."""

STATUS_BY_KIND = {
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Kind.CONFLICT: grpc.StatusCode.ABORTED,
    Kind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.TOO_LARGE: grpc.StatusCode.OUT_OF_RANGE,
    Kind.EXPIRED: grpc.StatusCode.DEADLINE_EXCEEDED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}

# Details travel in one header, and clients refuse headers beyond 8 KiB as a whole.
_DETAILS_SIZE_BYTES_MAX = 4096
_MESSAGE_LENGTH_MAX = 500

log = get_logger(__name__)


def fail_unary(inner: UnaryHandler) -> UnaryHandler:
    """Answer what the method raises, for methods that answer with one message."""

    async def guarded(request: Any, context: Context) -> Any:
        try:
            return await inner(request, context)
        except grpc.aio.BaseError:
            raise
        except Exception as err:  # noqa: BLE001 - the boundary: nothing may pass it unanswered
            await _answer(err, context)

    return guarded


def fail_stream(inner: StreamHandler) -> StreamHandler:
    """Answer what the method raises, for methods that answer with many messages."""

    async def guarded(request: Any, context: Context) -> AsyncGenerator[Any, None]:
        try:
            async with contextlib.aclosing(inner(request, context)) as responses:
                async for response in responses:
                    yield response
        except grpc.aio.BaseError:
            raise
        except Exception as err:  # noqa: BLE001 - the boundary: nothing may pass it unanswered
            await _answer(err, context)

    return guarded


async def _answer(err: Exception, context: Context) -> NoReturn:
    code, message, details, retry_after_s = _translate(err)
    call = current_call()
    if call is not None:
        call.code = code
        if isinstance(err, DomainError):
            call.quota = err.metadata.get("quota", "")
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    metadata = tuple(rpc_status.to_status(status).trailing_metadata) if details else ()
    for detail in details:
        if isinstance(detail, error_details_pb2.ErrorInfo):
            metadata += ((REASON_METADATA, detail.reason),)
    if retry_after_s is not None:
        # The gateway makes a header of it for HTTP clients, which knows whole seconds only.
        metadata += ((RETRY_AFTER_METADATA, str(max(1, math.ceil(retry_after_s)))),)
    if isinstance(err, DomainError):
        metadata += tuple(err.headers.items())
    await context.abort(code, message, metadata)


def _translate(
    err: Exception,
) -> tuple[grpc.StatusCode, str, list[Message], float | None]:
    if isinstance(err, grpc.aio.AioRpcError) and is_away(err):
        unavailable = Unavailable("A part of the system does not answer.")
        unavailable.__cause__ = err
        err = unavailable
    if isinstance(err, DomainError):
        if isinstance(err, Unavailable):
            log.warning("call_unavailable", error=err.message, cause=repr(err.__cause__))
        message = _shortened(err.message)
        return STATUS_BY_KIND[err.kind], message, _details(err), err.retry_after_s
    return _crashed(err)


def _crashed(err: Exception) -> tuple[grpc.StatusCode, str, list[Message], None]:
    log.error("call_crashed", exc_info=err)
    call = current_call()
    trace_id = call.trace_id if call is not None else ""
    if call is not None:
        call.span.add_event("exception", {EXCEPTION_TYPE: type(err).__qualname__})
    # Only the log gets more: what an unforeseen exception says may hold other people's data.
    message = f"The service met an unforeseen condition; its operators find it as {trace_id}."
    details: list[Message] = [error_details_pb2.RequestInfo(request_id=trace_id)]
    return grpc.StatusCode.INTERNAL, message, details, None


def _details(err: DomainError) -> list[Message]:
    details: list[Message] = [
        error_details_pb2.ErrorInfo(
            reason=err.reason,
            domain=DOMAIN,
            metadata={key: _shortened(value) for key, value in err.metadata.items()},
        )
    ]
    if err.retry_after_s is not None:
        delay = Duration()
        delay.FromNanoseconds(int(err.retry_after_s * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if err.violations:
        details.append(_bad_request(err))
    return details


def _bad_request(err: DomainError) -> error_details_pb2.BadRequest:
    bad_request = error_details_pb2.BadRequest()
    for violation in err.violations:
        bad_request.field_violations.add(
            field=_shortened(violation.field), description=_shortened(violation.description)
        )
        if bad_request.ByteSize() > _DETAILS_SIZE_BYTES_MAX:
            del bad_request.field_violations[-1]
            break
    return bad_request


def _shortened(text: str) -> str:
    return text if len(text) <= _MESSAGE_LENGTH_MAX else text[: _MESSAGE_LENGTH_MAX - 1] + "…"
