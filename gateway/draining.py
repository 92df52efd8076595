"""Takes a gateway out of service without cutting a request short; a bare SIGTERM would."""

import asyncio
import http.client
import time

_POLL_INTERVAL_S = 0.1
_REQUEST_TIMEOUT_S = 5.0


async def drain(host: str, port: int, *, wait_s: float) -> int:
    """Send new work elsewhere and wait for what runs; return how many requests still run.

    From now on `/healthz` and `/readyz` answer 503, answers tell clients to close their
    connections, and the listeners close after the gateway's drain time. Send SIGTERM when this
    returns.

    Args:
        host: of Envoy's admin interface, as `port` is.
        wait_s: how long to wait at most.
    """
    return await asyncio.to_thread(_drain, host, port, wait_s)


def _drain(host: str, port: int, wait_s: float) -> int:
    _call(host, port, "POST", "/healthcheck/fail")
    _call(host, port, "POST", "/drain_listeners?graceful&skip_exit")
    until_s = time.monotonic() + wait_s
    while (active := _active_requests(host, port)) and time.monotonic() < until_s:
        time.sleep(_POLL_INTERVAL_S)
    return active


def _active_requests(host: str, port: int) -> int:
    stats = _call(host, port, "GET", "/stats?filter=^http.gateway.downstream_rq_active$")
    return int(stats.rpartition(":")[2] or 0)


def _call(host: str, port: int, verb: str, path: str) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=_REQUEST_TIMEOUT_S)
    try:
        connection.request(verb, path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
