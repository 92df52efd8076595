"""The layer that holds requests to the limits that the protos declare."""

import functools
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from typing import Any

import protovalidate
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_interceptor.server import AsyncServerInterceptor
from protovalidate import FieldPathElementPb as FieldPathElement
from protovalidate import FieldPathPb as FieldPath

from services.chassis.errors import FieldViolation, InvalidArgument
from services.chassis.rpc.calls import Context
from services.chassis.rpc.methods import MethodSpec

_TIMESTAMP = Timestamp.DESCRIPTOR.full_name
# The bounds that `google.protobuf.Timestamp` gives itself, and nobody checks.
_FIRST_S = -62_135_596_800
_LAST_S = 253_402_300_799
_NANOS_PER_S = 1_000_000_000


class ValidationInterceptor(AsyncServerInterceptor):
    """Refuses requests that break a rule of the contract, naming each field."""

    def __init__(self, specs: Mapping[str, MethodSpec]) -> None:
        """Compile the rules of every request, so that a broken rule shows at start."""
        self._validator = protovalidate.Validator()
        self._specs = specs
        for spec in specs.values():
            self._validator.collect_violations(spec.request_type())

    async def intercept(
        self, method: Any, request_or_iterator: Any, context: Context, method_name: str
    ) -> Any:
        """Run the method if its request, or each of its requests, is valid."""
        spec = self._specs[method_name]
        if spec.request_streaming:
            request_or_iterator = self._checked(request_or_iterator)
        else:
            self._check(request_or_iterator)
        response = method(request_or_iterator, context)
        return response if spec.response_streaming else await response

    async def _checked(self, requests: AsyncIterable[Message]) -> AsyncGenerator[Message, None]:
        async for request in requests:
            self._check(request)
            yield request

    def _check(self, request: Message) -> None:
        require_valid(self._validator, request)


def require_valid(validator: protovalidate.Validator, request: Message) -> None:
    """Hold a request to the rules of the contract, and its times to the calendar.

    Raises:
        InvalidArgument: it breaks one; each field is named.
    """
    violations = [*_violations(validator.collect_violations(request)), *_no_times(request)]
    if violations:
        raise InvalidArgument("The request breaks rules of the contract.", violations=violations)


def _no_times(message: Message, path: str = "") -> Iterable[FieldViolation]:
    """Find the timestamps that no calendar has, which Python's own conversions choke on."""
    for field in _holders(message.DESCRIPTOR):
        held = getattr(message, field.name)
        if field.is_repeated:
            values = [(f"[{index}]", value) for index, value in enumerate(held)]
        else:
            values = [("", held)] if message.HasField(field.name) else []
        for subscript, value in values:
            name = f"{path}{field.name}{subscript}"
            if not isinstance(value, Timestamp):
                yield from _no_times(value, f"{name}.")
            elif not _is_time(value):
                yield FieldViolation(name, "must be a time in the years 1 to 9999")


@functools.cache
def _holders(descriptor: Descriptor) -> Sequence[FieldDescriptor]:
    """Return the fields that are timestamps, or may hold some."""
    return [
        field
        for field in descriptor.fields
        if field.message_type
        and not field.message_type.GetOptions().map_entry
        and _TIMESTAMP in _reachable(field.message_type)
    ]


@functools.cache
def _reachable(descriptor: Descriptor) -> frozenset[str]:
    found: set[str] = set()
    waiting = [descriptor]
    while waiting:
        current = waiting.pop()
        if current.full_name not in found:
            found.add(current.full_name)
            waiting += [field.message_type for field in current.fields if field.message_type]
    return frozenset(found)


def _is_time(value: Timestamp) -> bool:
    return _FIRST_S <= value.seconds <= _LAST_S and 0 <= value.nanos < _NANOS_PER_S


def _violations(violations: Iterable[protovalidate.Violation]) -> Iterable[FieldViolation]:
    for violation in violations:
        proto = violation.proto
        yield FieldViolation(
            field=_path(proto.field) if proto.field else "", description=proto.message
        )


def _path(path: FieldPath) -> str:
    return ".".join(f"{element.field_name}{_subscript(element)}" for element in path.elements)


def _subscript(element: FieldPathElement) -> str:
    if element.subscript is None:
        return ""
    value = element.subscript.value
    return f'["{value}"]' if isinstance(value, str) else f"[{value}]"
