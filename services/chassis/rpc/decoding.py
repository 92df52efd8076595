"""The layer that answers undecodable requests, which gRPC itself would answer as UNKNOWN."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Any

from google.protobuf.message import DecodeError

from services.chassis.errors import InvalidArgument
from services.chassis.rpc.calls import Context, StreamHandler, UnaryHandler
from services.chassis.rpc.methods import MethodSpec


class _Undecodable:
    """Stands in for a request whose bytes are not a message of its type."""


_UNDECODABLE = _Undecodable()


def tolerant(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Make a deserializer whose failures reach the pipeline instead of gRPC."""

    def deserialize(raw: bytes) -> Any:
        try:
            return deserializer(raw)
        except DecodeError:
            return _UNDECODABLE

    return deserialize


def decode_unary(spec: MethodSpec, inner: UnaryHandler) -> UnaryHandler:
    """Wrap a method that answers with one message."""
    if spec.request_streaming:

        async def decoded_stream(requests: Any, context: Context) -> Any:
            return await inner(_checked(spec, requests), context)

        return decoded_stream

    async def decoded(request: Any, context: Context) -> Any:
        _check(spec, request)
        return await inner(request, context)

    return decoded


def decode_stream(spec: MethodSpec, inner: StreamHandler) -> StreamHandler:
    """Wrap a method that answers with many messages."""

    async def decoded(request: Any, context: Context) -> AsyncGenerator[Any, None]:
        if spec.request_streaming:
            request = _checked(spec, request)
        else:
            _check(spec, request)
        async with contextlib.aclosing(inner(request, context)) as responses:
            async for response in responses:
                yield response

    return decoded


async def _checked(spec: MethodSpec, requests: AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
    async for request in requests:
        _check(spec, request)
        yield request


def _check(spec: MethodSpec, request: Any) -> None:
    if request is _UNDECODABLE:
        raise InvalidArgument(f"The request is not a {spec.request_type.DESCRIPTOR.full_name}.")
