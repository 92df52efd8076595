"""A service of four shapes whose protos exist only in memory, for tests of the pipeline."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from typing import Any

import grpc.aio
from buf.validate import validate_pb2
from dashtrack.options.v1 import options_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "dashtrack.testing.v1"
SERVICE = f"{PACKAGE}.EchoService"

_SHAPES = {
    "Unary": (False, False),
    "ServerStream": (False, True),
    "ClientStream": (True, False),
    "BidiStream": (True, True),
}
SHAPES = tuple(_SHAPES)


def _method(
    file: descriptor_pb2.ServiceDescriptorProto, name: str, shape: str, **access: Any
) -> descriptor_pb2.MethodDescriptorProto:
    client_streaming, server_streaming = _SHAPES[shape]
    method = file.method.add(
        name=name,
        input_type=f".{PACKAGE}.Said",
        output_type=f".{PACKAGE}.Said",
        client_streaming=client_streaming,
        server_streaming=server_streaming,
    )
    if access:
        method.options.Extensions[options_pb2.access].CopyFrom(options_pb2.Access(**access))
    return method


def _declare() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="dashtrack/testing/v1/echo_service.proto", package=PACKAGE, syntax="proto3"
    )
    file.dependency.extend(["dashtrack/options/v1/options.proto", "buf/validate/validate.proto"])
    message = file.message_type.add(name="Said")
    text = message.field.add(
        name="text",
        number=1,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
        label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
    )
    text.options.Extensions[validate_pb2.field].string.max_len = 20
    message.field.add(
        name="parts",
        number=2,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
        type_name=f".{PACKAGE}.Said",
        label=descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED,
    )
    service = file.service.add(name="EchoService")
    public = {"caller": options_pb2.CALLER_PUBLIC}
    managers = {
        "caller": options_pb2.CALLER_USER,
        "roles": [options_pb2.ROLE_MANAGER],
        "reach": options_pb2.REACH_COMPANY,
    }
    for shape in _SHAPES:
        _method(service, shape, shape, **public)
        _method(service, f"Managers{shape}", shape, **managers)
        brief = _method(service, f"Brief{shape}", shape, **public)
        brief.options.Extensions[options_pb2.call].deadline_ms = 50
    restricted = options_pb2.RESTRICTION_TWO_FACTOR_ENROLLMENT
    _method(service, "Enrolling", "Unary", **managers, open_to=[restricted])
    _method(service, "Devices", "Unary", caller=options_pb2.CALLER_DEVICE)
    _method(service, "Services", "Unary", caller=options_pb2.CALLER_SERVICE)
    _method(service, "Hot", "Unary", **public)
    endless = _method(service, "Endless", "ServerStream", **public)
    endless.options.Extensions[options_pb2.call].unbounded = True
    _method(service, "Undeclared", "Unary")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    descriptor = pool.FindMessageTypeByName(f"{PACKAGE}.Said")
    return message_factory.GetMessageClass(descriptor)


Said: Any = _declare()

Behaviour = Callable[[Any, Any], Awaitable[Any]]
"""What a method does with a request: returns the answer, or raises."""


async def echo(request: Any, _: Any) -> Any:
    """Say the same again."""
    return Said(text=request.text)


class EchoService:
    """Serves every method with one behaviour, which each test gives it."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = echo
        self.methods = [name for name in _method_names() if name != "Undeclared"]

    def register(self, server: grpc.aio.Server) -> None:
        """Add the methods to a server."""
        server.add_registered_method_handlers(
            SERVICE, {name: self._handler(name) for name in self.methods}
        )

    def _handler(self, name: str) -> Any:
        makers: Mapping[str, tuple[Any, Any]] = {
            "ServerStream": (grpc.unary_stream_rpc_method_handler, self._server_stream),
            "Endless": (grpc.unary_stream_rpc_method_handler, self._server_stream),
            "ClientStream": (grpc.stream_unary_rpc_method_handler, self._client_stream),
            "BidiStream": (grpc.stream_stream_rpc_method_handler, self._bidi_stream),
        }
        unary = (grpc.unary_unary_rpc_method_handler, self._unary)
        make, function = next(
            (entry for shape, entry in makers.items() if name.endswith(shape)), unary
        )
        return make(function, Said.FromString, Said.SerializeToString)

    async def _unary(self, request: Any, context: Any) -> Any:
        return await self.behaviour(request, context)

    async def _server_stream(self, request: Any, context: Any) -> AsyncGenerator[Any, None]:
        for _ in range(2):
            yield await self.behaviour(request, context)

    async def _client_stream(self, requests: AsyncIterable[Any], context: Any) -> Any:
        said = [request.text async for request in requests]
        return await self.behaviour(Said(text="".join(said)), context)

    async def _bidi_stream(
        self, requests: AsyncIterable[Any], context: Any
    ) -> AsyncGenerator[Any, None]:
        async for request in requests:
            yield await self.behaviour(request, context)


def _method_names() -> list[str]:
    service = descriptor_pool.Default().FindServiceByName(SERVICE)
    return list(service.methods_by_name)


async def call(channel: grpc.aio.Channel, method: str, *texts: str, **options: Any) -> list[str]:
    """Call a method of any shape with these texts and return what it answered."""
    path = f"/{SERVICE}/{method}"
    serializers = (Said.SerializeToString, Said.FromString)
    requests = [Said(text=text) for text in texts or ("hello",)]
    if method.endswith("BidiStream"):
        stream: Any = channel.stream_stream(path, *serializers)(iter(requests), **options)
    elif method.endswith(("ServerStream", "Endless")):
        stream = channel.unary_stream(path, *serializers)(requests[0], **options)
    elif method.endswith("ClientStream"):
        return [(await channel.stream_unary(path, *serializers)(iter(requests), **options)).text]
    else:
        return [(await channel.unary_unary(path, *serializers)(requests[0], **options)).text]
    return [answer.text async for answer in stream]
