"""One of DashTrack's own services as a part of the stack."""

import asyncio
import http.client
import os
import sys
from collections.abc import Mapping

from services.stack.parts import Command, ListeningPort, Part
from services.stack.settings import PREFIX as STACK_PREFIX
from services.stack.settings import ROOT

HOST = "127.0.0.1"
GATEWAY_HEALTH = "/healthz"
"""Path at the gateway that answers 200 while it reaches every service."""
_OK = 200


async def require_ok(port: int, path: str, timeout_s: float) -> None:
    """Raise unless a loopback HTTP server answers 200."""
    status, body = await asyncio.to_thread(_get, port, path, timeout_s)
    if status != _OK:
        raise ConnectionError(f"{path} answers {status}: {body}")


def answers_ok(port: int, path: str, timeout_s: float) -> bool:
    """Whether a loopback HTTP server answers 200 right now."""
    try:
        return _get(port, path, timeout_s)[0] == _OK
    except (OSError, http.client.HTTPException):
        return False


def _get(port: int, path: str, timeout_s: float) -> tuple[int, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read(500).decode(errors="replace").strip()
    finally:
        connection.close()


class Service(Part):
    """A service, which migrates its database when it starts."""

    after = ("postgres", "nats")

    def __init__(
        self,
        name: str,
        ports: Mapping[str, ListeningPort],
        wiring: Mapping[str, str],
        probe_timeout_s: float,
    ) -> None:
        self.name = name
        self.ports = list(ports.values())
        self._http_port = ports["http"].number
        self._wiring = wiring
        self._probe_timeout_s = probe_timeout_s

    async def prepare(self) -> Command:
        """Hand over addresses and secrets by environment, where `ps` doesn't show them."""
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(STACK_PREFIX)
        }
        return Command(
            program=[sys.executable, "-m", f"services.{self.name}"],
            environment={**inherited, "PYTHONUNBUFFERED": "1", **self._wiring},
            folder=ROOT,
        )

    async def probe(self) -> None:
        """Ask the service whether it can work."""
        await require_ok(self._http_port, "/healthz", self._probe_timeout_s)
