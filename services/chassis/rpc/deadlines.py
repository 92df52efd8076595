"""The layer that gives every call an end, and passes what is left of it on to outgoing calls."""

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from grpc_interceptor.server import AsyncServerInterceptor

from services.chassis.errors import DeadlineExceeded
from services.chassis.rpc.calls import Context
from services.chassis.rpc.methods import MethodSpec

# gRPC cuts a call whose deadline passes without an answer, which a gateway takes for a broken
# connection: this much before that the caller gets a proper status.
_HEAD_START_S = 0.02
_HEAD_START_SHARE = 0.05

_expires_at_s: contextvars.ContextVar[float | None] = contextvars.ContextVar(
    "expires_at_s", default=None
)


def remaining_s() -> float | None:
    """Return how long the current call may still take; None if nothing limits it."""
    expires_at_s = _expires_at_s.get()
    if expires_at_s is None:
        return None
    return max(0.0, expires_at_s - asyncio.get_running_loop().time())


class DeadlineInterceptor(AsyncServerInterceptor):
    """Ends calls at the caller's deadline, or at the method's own if that comes first."""

    def __init__(self, specs: Mapping[str, MethodSpec]) -> None:
        """Take the methods' own limits from here."""
        self._specs = specs

    async def intercept(
        self, method: Any, request_or_iterator: Any, context: Context, method_name: str
    ) -> Any:
        """Run the method within its time."""
        spec = self._specs[method_name]
        budget_s = _budget_s(spec.deadline_s, context.time_remaining())
        if spec.response_streaming:
            responses = method(request_or_iterator, context)
            return responses if budget_s is None else _bounded(responses, _expiry(budget_s))
        if budget_s is None:
            return await method(request_or_iterator, context)
        try:
            async with asyncio.timeout_at(_expiry(budget_s)) as timeout:
                return await method(request_or_iterator, context)
        except TimeoutError as err:
            if timeout.expired():
                raise DeadlineExceeded("The call took too long.") from err
            raise


def _budget_s(own_s: float | None, callers_s: float | None) -> float | None:
    if callers_s is None:
        return own_s
    callers_s -= min(_HEAD_START_S, callers_s * _HEAD_START_SHARE)
    return callers_s if own_s is None else min(own_s, callers_s)


def _expiry(budget_s: float) -> float:
    expires_at_s = asyncio.get_running_loop().time() + budget_s
    _expires_at_s.set(expires_at_s)
    return expires_at_s


async def _bounded(
    responses: AsyncGenerator[Any, None], expires_at_s: float
) -> AsyncGenerator[Any, None]:
    async with contextlib.aclosing(responses):
        while True:
            # Armed for each step on its own: between steps the task is not in this generator, and
            # a timer that cancelled it there could not be told from a caller that gave up.
            try:
                async with asyncio.timeout_at(expires_at_s) as timeout:
                    response = await anext(responses)
            except StopAsyncIteration:
                return
            except TimeoutError as err:
                if timeout.expired():
                    raise DeadlineExceeded("The call took too long.") from err
                raise
            yield response
