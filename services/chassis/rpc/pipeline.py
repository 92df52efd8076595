"""Puts the layers around every method once, at start, so that a call pays for none of that.

From the outside in: observing, failures, auditing, access, decoding, deadlines, validation. Hot
methods go without the last two.
"""

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, NoReturn, TypeAlias, cast

import grpc
from grpc_interceptor.server import AsyncServerInterceptor
from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry

from services.chassis.errors import Unavailable
from services.chassis.rpc.access import AccessGate
from services.chassis.rpc.auditing import Auditor
from services.chassis.rpc.calls import Context, StreamHandler, UnaryHandler
from services.chassis.rpc.deadlines import DeadlineInterceptor
from services.chassis.rpc.decoding import decode_stream, decode_unary, tolerant
from services.chassis.rpc.failures import fail_stream, fail_unary
from services.chassis.rpc.methods import ContractError, MethodSpec, find_method
from services.chassis.rpc.observing import ServerObserver
from services.chassis.rpc.validation import ValidationInterceptor
from services.chassis.tokens import TokenVerifier

Register = Callable[[grpc.aio.Server], None]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
MaybeHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


class Pipeline(grpc.GenericRpcHandler):
    """Finds the wrapped handler of a method; add it to a server as a generic handler.

    Until `install` was called every method answers UNAVAILABLE, so that a server can listen while
    its service is still waiting for a database.
    """

    def __init__(self, registry: CollectorRegistry, tracer: Tracer) -> None:
        """Prepare the layers that all methods share."""
        self._observer = ServerObserver(registry, tracer)
        self._handlers: dict[str, Handler] | None = None

    async def install(
        self,
        register: Register,
        verifier: TokenVerifier,
        *,
        hot_methods: frozenset[str],
        auditor: Auditor | None = None,
    ) -> None:
        """Wrap what the service registers and begin to serve it.

        Raises:
            ContractError: a method is not in the protos or lacks its access option.
        """
        collector = _HandlerCollector()
        register(cast("grpc.aio.Server", collector))
        specs = {path: find_method(path) for path in collector.handlers}
        unknown = hot_methods - specs.keys()
        if unknown:
            raise ContractError(f"hot methods that are not served: {', '.join(sorted(unknown))}")
        doors = _Doors(AccessGate(verifier), auditor)
        off_path: list[AsyncServerInterceptor] = [
            ValidationInterceptor(specs),
            DeadlineInterceptor(specs),
        ]
        self._handlers = {
            path: await self._wrap(
                specs[path], handler, doors, [] if path in hot_methods else off_path
            )
            for path, handler in collector.handlers.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> MaybeHandler:
        """Look the method up."""
        if self._handlers is None:
            return _STARTING
        return self._handlers.get(handler_call_details.method)

    async def _wrap(
        self,
        spec: MethodSpec,
        handler: Handler,
        doors: "_Doors",
        interceptors: list[AsyncServerInterceptor],
    ) -> Handler:
        handler = _as_generator(spec, handler)
        for interceptor in interceptors:
            handler = await _intercepted(spec, handler, interceptor)
        function = _function(handler)
        if spec.response_streaming:
            stream = doors.stream(spec, decode_stream(spec, function))
            function = self._observer.observe_stream(spec, fail_stream(stream))
        else:
            unary = doors.unary(spec, decode_unary(spec, function))
            function = self._observer.observe_unary(spec, fail_unary(unary))
        deserializer = handler.request_deserializer
        return _handler(
            spec,
            function,
            tolerant(deserializer) if deserializer else None,
            handler.response_serializer,
        )


class _Doors:
    """Who lets calls in, and who writes down that they came."""

    def __init__(self, gate: AccessGate, auditor: Auditor | None) -> None:
        self._gate = gate
        self._auditor = auditor

    def unary(self, spec: MethodSpec, inner: UnaryHandler) -> UnaryHandler:
        admitted = self._gate.admit_unary(spec, inner)
        return self._auditor.audit_unary(spec, admitted) if self._auditor else admitted

    def stream(self, spec: MethodSpec, inner: StreamHandler) -> StreamHandler:
        admitted = self._gate.admit_stream(spec, inner)
        return self._auditor.audit_stream(spec, admitted) if self._auditor else admitted


def _function(handler: Handler) -> Any:
    return (
        handler.stream_stream or handler.stream_unary or handler.unary_stream or handler.unary_unary
    )


def _handler(spec: MethodSpec, function: Any, deserializer: Any, serializer: Any) -> Handler:
    make: Any = _FACTORIES[spec.request_streaming, spec.response_streaming]
    handler: Handler = make(function, deserializer, serializer)
    return handler


_FACTORIES = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class _HandlerCollector:
    """Takes a server's place while servicers are added, and keeps their handlers."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        for name, handler in method_handlers.items():
            self.handlers[f"/{service_name}/{name}"] = handler

    def add_generic_rpc_handlers(self, _: object) -> None:
        """Do nothing: generated code registers the same methods above, by name."""


def _as_generator(spec: MethodSpec, handler: Handler) -> Handler:
    """Bring methods that call `context.write` into the shape of those that yield."""
    function = _function(handler)
    generates = inspect.isasyncgenfunction(function)
    if generates == spec.response_streaming and (
        generates or inspect.iscoroutinefunction(function)
    ):
        return handler
    if generates or not inspect.iscoroutinefunction(function):
        raise ContractError(f"{spec.path} must be asynchronous, and a generator only if it streams")

    async def generate(request: Any, context: Context) -> AsyncGenerator[Any, None]:
        await function(request, context)
        return
        yield  # type: ignore[unreachable]  # makes a generator of the function

    return _handler(spec, generate, handler.request_deserializer, handler.response_serializer)


async def _intercepted(
    spec: MethodSpec,
    handler: Handler,
    interceptor: AsyncServerInterceptor,
) -> Handler:
    """Let an interceptor wrap a handler now rather than at each call."""

    async def continuation(_: object) -> Handler:
        return handler

    intercept_service: Any = interceptor.intercept_service
    wrapped: Handler = await intercept_service(continuation, _CallDetails(spec.path))
    return wrapped


class _CallDetails(grpc.HandlerCallDetails):
    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata = ()


async def _refuse_while_starting(_: Any, __: Context) -> NoReturn:
    raise Unavailable("The service is starting.")


# Whatever the shape of the call, an abort is all that it gets to see.
_STARTING: Handler = grpc.stream_unary_rpc_method_handler(fail_unary(_refuse_while_starting))
