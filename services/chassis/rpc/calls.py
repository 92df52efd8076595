"""The call that is being served: what logs, errors and outgoing calls need to know about it."""

import contextvars
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc
from opentelemetry.trace import Span, format_trace_id

from services.chassis.rpc.methods import MethodSpec
from services.chassis.tokens import TokenVerifier

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
UnaryHandler: TypeAlias = Callable[[Any, Context], Awaitable[Any]]
"""Answers with one message, whether it was asked with one or with many."""
StreamHandler: TypeAlias = Callable[[Any, Context], AsyncGenerator[Any, None]]
"""Answers with many messages."""


class Call:
    """One RPC in flight."""

    __slots__ = ("authorization", "code", "quota", "span", "spec", "verifier")

    def __init__(self, spec: MethodSpec, span: Span, authorization: str | None) -> None:
        """Start with a status that only stays if nobody sets another."""
        self.spec = spec
        self.span = span
        self.authorization = authorization
        self.code = grpc.StatusCode.UNKNOWN
        self.quota = ""
        """The quota that the call was refused for, if it was."""
        self.verifier: TokenVerifier | None = None
        """Who let the call in; None for public methods."""

    @property
    def trace_id(self) -> str:
        """The trace that the call belongs to, in hexadecimal."""
        return format_trace_id(self.span.get_span_context().trace_id)


_call: contextvars.ContextVar[Call | None] = contextvars.ContextVar("call", default=None)


def current_call() -> Call | None:
    """Return the call that is being served, None outside of one."""
    return _call.get()


def set_current_call(call: Call) -> None:
    """Declare the call for the rest of its task; gRPC runs each call in a task of its own."""
    _call.set(call)
