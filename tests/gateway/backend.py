"""Stand-in services behind a real gateway: every public RPC, answered as a test wishes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway.contract import Rpc
from gateway.settings import SERVICES, ServiceAddress

Context = grpc.aio.ServicerContext[Any, Any]
Answer = Callable[[Message, Context], Awaitable[Message]]
Stream = Callable[[Message, Context], AsyncIterator[Message]]


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """A call as it reached a service."""

    owner: str
    path: str
    request: Message
    metadata: dict[str, str]
    time_remaining_s: float


@dataclass
class Services:
    """The four services in one thread; what a test does to them lasts until `reset`."""

    rpcs: Sequence[Rpc]
    files: descriptor_pb2.FileDescriptorSet
    metrics_text: bytes = b""
    jwks: bytes = b""
    addresses: dict[str, ServiceAddress] = field(default_factory=dict)
    calls: list[ReceivedCall] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    streams: dict[str, Stream] = field(default_factory=dict)
    dying: asyncio.Future[Any] | None = None
    """Kept, or it would be collected."""
    _servers: dict[str, grpc.aio.Server] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def __post_init__(self) -> None:
        """Make the messages of the contract usable."""
        self.pool = descriptor_pool.DescriptorPool()
        for file in self.files.file:
            self.pool.Add(file)

    def message(self, full_name: str, **fields: Any) -> Message:
        """Make a message of the contract."""
        descriptor = self.pool.FindMessageTypeByName(full_name.removeprefix("."))
        made: Message = message_factory.GetMessageClass(descriptor)(**fields)
        return made

    def reset(self) -> None:
        """Forget calls and wishes."""
        self.calls.clear()
        self.answers.clear()
        self.streams.clear()

    def run(self, work: Any) -> Any:
        """Run a coroutine in the services' loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def stop_one(self, owner: str) -> None:
        """Take a service away."""
        self.run(self._servers.pop(owner).stop(None))

    def start_one(self, owner: str) -> None:
        """Bring a service back on its port."""
        self.run(self._start(owner, self.addresses[owner].grpc_port))

    @contextmanager
    def running(self) -> Iterator["Services"]:
        """Serve for the length of a block."""
        thread = threading.Thread(target=self._loop.run_forever, name="services")
        thread.start()
        web = ThreadingHTTPServer(("127.0.0.1", 0), _web_handler(self))
        web_thread = threading.Thread(target=web.serve_forever, name="services-http")
        web_thread.start()
        try:
            for owner in SERVICES:
                port = self.run(self._start(owner, 0))
                self.addresses[owner] = ServiceAddress("127.0.0.1", port, web.server_port)
            yield self
        finally:
            for server in self._servers.values():
                self.run(server.stop(None))
            web.shutdown()
            web.server_close()
            web_thread.join()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    async def _start(self, owner: str, port: int) -> int:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        own = [rpc for rpc in self.rpcs if rpc.owner == owner]
        server.add_generic_rpc_handlers((_Handler(self, own),))
        names = sorted({rpc.service for rpc in own})
        healths = health.aio.HealthServicer()
        for name in names:
            await healths.set(name, health_pb2.HealthCheckResponse.SERVING)
        await healths.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(healths, server)
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        self._servers[owner] = server
        return bound


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, services: Services, rpcs: Sequence[Rpc]) -> None:
        self._services = services
        self._rpcs = {rpc.path: rpc for rpc in rpcs}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        rpc = self._rpcs.get(handler_call_details.method)
        if rpc is None:
            return None
        request_type = type(self._services.message(rpc.input_type))
        make = grpc.unary_unary_rpc_method_handler
        behaviour: Any = self._answer(rpc)
        if rpc.server_streaming:
            make = grpc.unary_stream_rpc_method_handler
            behaviour = self._stream(rpc)
        return make(
            behaviour,
            request_deserializer=request_type.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _record(self, rpc: Rpc, request: Message, context: Context) -> None:
        metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        remaining = context.time_remaining()
        self._services.calls.append(
            ReceivedCall(rpc.owner, rpc.path, request, metadata, remaining or -1.0)
        )

    def _answer(self, rpc: Rpc) -> Answer:
        async def answer(request: Message, context: Context) -> Message:
            self._record(rpc, request, context)
            wished = self._services.answers.get(rpc.label)
            if wished is not None:
                return await wished(request, context)
            return self._services.message(rpc.output_type)

        return answer

    def _stream(self, rpc: Rpc) -> Stream:
        async def stream(request: Message, context: Context) -> AsyncIterator[Message]:
            self._record(rpc, request, context)
            wished = self._services.streams.get(rpc.label)
            if wished is None:
                yield self._services.message(rpc.output_type)
                return
            async for message in wished(request, context):
                yield message

        return stream


def _web_handler(services: Services) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            bodies = {
                "/.well-known/jwks.json": services.jwks,
                "/metrics": services.metrics_text,
            }
            body = bodies.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("content-length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """Keep the output of the tests to the tests."""

    return Handler
