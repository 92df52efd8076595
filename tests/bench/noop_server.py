"""A bare grpc.aio server whose upload handler does nothing: what Python's gRPC costs by itself."""

import asyncio
import sys
from typing import Any

import grpc.aio
from google.api import httpbody_pb2

SERVICE = "dashtrack.device.v1.DeviceLinkHttpService"


async def upload(
    request: httpbody_pb2.HttpBody, _context: "grpc.aio.ServicerContext[Any, Any]"
) -> httpbody_pb2.HttpBody:
    """Answer the body's length, so that the body was at least received and parsed."""
    return httpbody_pb2.HttpBody(data=len(request.data).to_bytes(4, "little"))


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    handler = grpc.unary_unary_rpc_method_handler(
        upload,
        request_deserializer=httpbody_pb2.HttpBody.FromString,
        response_serializer=httpbody_pb2.HttpBody.SerializeToString,
    )
    server = grpc.aio.server()
    handlers = grpc.method_handlers_generic_handler(SERVICE, {"Upload": handler})
    server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
