"""The layer that holds requests to the limits that the protos declare."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from typing import Any

import protovalidate
from google.protobuf.message import Message
from grpc_interceptor.server import AsyncServerInterceptor
from protovalidate import FieldPathElementPb as FieldPathElement
from protovalidate import FieldPathPb as FieldPath

from services.chassis.errors import FieldViolation, InvalidArgument
from services.chassis.rpc.calls import Context
from services.chassis.rpc.methods import MethodSpec


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
    """Hold a request to the rules of the contract.

    Raises:
        InvalidArgument: it breaks one; each field is named.
    """
    violations = validator.collect_violations(request)
    if violations:
        raise InvalidArgument(
            "The request breaks rules of the contract.",
            violations=list(_violations(violations)),
        )


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
