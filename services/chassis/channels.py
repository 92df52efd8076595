"""Channels to other services: deadlines, traces and service tokens travel along."""

from collections.abc import Callable
from typing import Any

import grpc
from grpc.aio import ClientCallDetails, Metadata
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.sdk.trace import TracerProvider

from services.chassis.auth_client import ISSUE_SERVICE_TOKEN, ServiceTokens
from services.chassis.rpc.deadlines import remaining_s
from services.chassis.settings import ServiceSettings

_TIMEOUT_DEFAULT_S = 10.0
_INTERNAL = ".internal."
_SCHEME = "Bearer "
_REFUSED = grpc.StatusCode.UNAUTHENTICATED
_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.lb_policy_name", "round_robin"),
    # Proxies that the environment names are for the outside world.
    ("grpc.enable_http_proxy", 0),
)


class Channels:
    """One channel per target, made when first asked for."""

    def __init__(self, settings: ServiceSettings, name: str, provider: TracerProvider) -> None:
        """Call as this service."""
        self._settings = settings
        self._provider = provider
        self._tokens = ServiceTokens(settings, name)
        self._channels: dict[str, grpc.aio.Channel] = {}

    def channel(self, target: str) -> grpc.aio.Channel:
        """Return the channel to this address; it is shared and closed with the service."""
        channel = self._channels.get(target)
        if channel is None:
            channel = self._channels[target] = self._open(target)
        return channel

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()

    def _auth(self) -> grpc.aio.Channel:
        return self.channel(self._settings.auth_target)

    def _open(self, target: str) -> grpc.aio.Channel:
        outgoing = [
            interceptor(self._tokens, self._auth)
            for interceptor in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)
        ]
        make_traced: Any = aio_client_interceptors
        traced = make_traced(tracer_provider=self._provider)
        return grpc.aio.insecure_channel(
            target, options=_OPTIONS, interceptors=[*outgoing, *traced]
        )


class _Outgoing:
    """What all four shapes of outgoing calls get: an end, and a token where one is needed."""

    def __init__(self, tokens: ServiceTokens, auth: Callable[[], grpc.aio.Channel]) -> None:
        self._tokens = tokens
        self._auth = auth

    async def _prepared(self, details: ClientCallDetails) -> ClientCallDetails:
        metadata = Metadata(*(details.metadata or ()))
        if _needs_token(details):
            token = await self._tokens.token(self._auth())
            metadata.add("authorization", _SCHEME + token)
        return ClientCallDetails(
            method=details.method,
            timeout=_timeout_s(details.timeout),
            metadata=metadata,
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
        )


def _needs_token(details: ClientCallDetails) -> bool:
    method = _text(details.method)
    return _INTERNAL in method and method != ISSUE_SERVICE_TOKEN


def _text(method: str | bytes) -> str:
    # Declared as text, and bytes at run time.
    return method.decode() if isinstance(method, bytes) else method


def _timeout_s(asked_s: float | None) -> float:
    left_s = remaining_s()
    bounds_s = [bound_s for bound_s in (asked_s, left_s) if bound_s is not None]
    return min(bounds_s) if bounds_s else _TIMEOUT_DEFAULT_S


class _UnaryUnary(_Outgoing, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: ClientCallDetails, request: Any
    ) -> Any:
        prepared = await self._prepared(client_call_details)
        call = await continuation(prepared, request)
        if _needs_token(client_call_details) and await call.code() is _REFUSED:
            # Keys are withdrawn and tokens revoked before they expire: a new one mends that.
            authorization = _text((prepared.metadata or Metadata())["authorization"])
            self._tokens.forget(authorization.removeprefix(_SCHEME))
            call = await continuation(await self._prepared(client_call_details), request)
        return call


class _UnaryStream(_Outgoing, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(await self._prepared(client_call_details), request)


class _StreamUnary(_Outgoing, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self,
        continuation: Any,
        client_call_details: ClientCallDetails,
        request_iterator: Any,
    ) -> Any:
        return await continuation(await self._prepared(client_call_details), request_iterator)


class _StreamStream(_Outgoing, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self,
        continuation: Any,
        client_call_details: ClientCallDetails,
        request_iterator: Any,
    ) -> Any:
        return await continuation(await self._prepared(client_call_details), request_iterator)
