"""The HTTP side of a service: metrics, health for those who don't speak gRPC, own routes."""

import contextlib
import socket
from collections.abc import Callable, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

_BODY_SIZE_BYTES_MAX = 64 * 1024
_BACKLOG = 128
_SHUTDOWN_TIMEOUT_S = 1.0


class HttpServer:
    """A small HTTP server for scrapers and probes, and for the few routes of a service."""

    def __init__(self, registry: CollectorRegistry, serving: Callable[[], bool]) -> None:
        """Serve these metrics."""
        self._registry = registry
        self._serving = serving
        self._socket = socket.socket()
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket.close()
        self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        await self.serve_routes([])
        return int(self._socket.getsockname()[1])

    async def serve_routes(self, routes: Sequence[web.RouteDef]) -> None:
        """Serve these from now on, beside the metrics and health that were there from the start."""
        app = web.Application(client_max_size=_BODY_SIZE_BYTES_MAX)
        app.add_routes([web.get("/metrics", self._metrics), web.get("/healthz", self._health)])
        app.add_routes(routes)
        runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_TIMEOUT_S
        )
        await runner.setup()
        previous, self._runner = self._runner, runner
        # Both accept from the same socket for a moment, so nobody finds it closed.
        await web.SockSite(runner, self._socket.dup()).start()
        if previous is not None:
            await previous.cleanup()

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
        with contextlib.suppress(OSError):
            self._socket.close()

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # Passed as a header: aiohttp's own parameter refuses the charset that is part of it.
        response = web.Response(body=encode(self._registry), headers={"content-type": content_type})
        response.enable_compression()
        return response

    async def _health(self, _: web.Request) -> web.Response:
        serving = self._serving()
        return web.json_response(
            {"status": "SERVING" if serving else "NOT_SERVING"}, status=200 if serving else 503
        )
