"""What it looks like to a caller when another service is away."""

import grpc

_AWAY = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        # What a server that stops says of calls that it had not looked at yet.
        grpc.StatusCode.CANCELLED,
    }
)


def is_away(err: grpc.aio.AioRpcError) -> bool:
    """Tell whether a call failed because nobody was there in time, whatever it asked."""
    return err.code() in _AWAY
