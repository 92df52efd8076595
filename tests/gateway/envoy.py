"""A real Envoy for tests, on free ports, ended by its own process number."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from gateway import GatewaySettings, render
from tests.fixtures.ports import reserved_ports

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A gateway that runs."""

    settings: GatewaySettings
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """Where REST clients connect without TLS."""
        return f"http://{self.target}"

    @property
    def target(self) -> str:
        """Where gRPC clients connect without TLS."""
        return f"127.0.0.1:{self.settings.http_port}"

    @property
    def admin_url(self) -> str:
        """Envoy's admin interface."""
        return f"http://127.0.0.1:{self.settings.admin_port}"

    @property
    def tls_url(self) -> str:
        """Where REST clients connect with TLS."""
        return f"https://localhost:{self.settings.tls_port}"


@contextmanager
def running_gateway(settings: GatewaySettings, folder: Path) -> Iterator[RunningGateway]:
    """Run a gateway for the length of a block, on ports of its own."""
    with reserved_ports(3) as (http_port, tls_port, admin_port):
        settings = replace(settings, http_port=http_port, tls_port=tls_port, admin_port=admin_port)
        arguments = render(settings, folder)
        log = folder / "envoy.log"
        with log.open("wb") as out:
            process = subprocess.Popen(arguments, stdout=out, stderr=out)
        gateway = RunningGateway(settings, process, log)
        try:
            _wait_until_healthy(gateway)
            yield gateway
        finally:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_healthy(gateway: RunningGateway) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            if httpx.get(f"{gateway.url}/healthz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        if gateway.process.poll() is not None or time.monotonic() > deadline_s:
            tail = gateway.log.read_text("utf-8", "replace")[-4000:]
            raise AssertionError(f"the gateway did not start\n{tail}")
        time.sleep(0.05)
