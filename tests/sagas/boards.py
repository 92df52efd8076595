"""A simulated board that sends through the gateway, with pauses in its life."""

import asyncio
import time
from collections.abc import Mapping

import aiohttp
import numpy as np
from dashtrack.telemetry.v1 import device_service_pb2 as devices_pb

from devices.simulator.board import Board, BoardOptions
from devices.simulator.boot import TimeSource
from devices.simulator.identity import Identity
from devices.simulator.policy import Backoff
from devices.simulator.samples import Samples
from devices.simulator.transport import HttpTransport, Reply
from tests.fixtures.shutting_out import RealServices
from tests.sagas.tenants import unique

_DEVICES = "/dashtrack.telemetry.v1.DeviceService/"
_READINGS = 5


class _OnceTransport:
    """Makes a session for each request, since each may be in a loop of its own."""

    def __init__(self, gateway_url: str) -> None:
        self._gateway_url = gateway_url

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a request and return the answer."""
        async with aiohttp.ClientSession() as session:
            transport = HttpTransport(session, self._gateway_url)
            return await transport.post(path, body, headers)


class SimulatedBoard:
    """A board of a company."""

    def __init__(
        self,
        services: RealServices,
        company_id: str,
        gateway_url: str,
        time_source: TimeSource = TimeSource.CLOCK,
    ) -> None:
        device = devices_pb.Device(company_id=company_id, hardware_id=unique("sim"))
        registered = services.call(
            _DEVICES + "RegisterDevice", devices_pb.RegisterDeviceRequest(device=device)
        )
        self._board = Board(
            Identity(device.hardware_id, registered.claim_code),
            _OnceTransport(gateway_url),
            options=BoardOptions(backoff=Backoff(base_s=0.05, max_s=0.5), time_source=time_source),
            booted_unix_ms=int((time.time() - 120) * 1000),
        )
        self.batch_count = 0

    @property
    def device_id(self) -> str:
        """The board's id, once it has claimed itself."""
        return self._board.identity.device_id

    @property
    def kept_count(self) -> int:
        """How many batches wait for being acknowledged."""
        return self._board.pending_count

    def record(self) -> None:
        """Measure a batch."""
        times_ms = np.arange(_READINGS) * 1000 + int((time.time() - 60 + self.batch_count) * 1000)
        speeds = np.linspace(50.0, 60.0, _READINGS)
        self._board.record(Samples(times_ms, {"speed_kmh": speeds}))
        self.batch_count += 1

    def step(self) -> None:
        """Send the request that is due."""
        asyncio.run(self._board.step())

    def deliver(self) -> None:
        """Send all that waits, with the patience of a board."""
        assert asyncio.run(self._board.drain(patience_s=30)), self._board.stop_reason

    def assert_sound(self) -> None:
        """Make sure that it neither stopped nor put anything aside."""
        assert not self._board.stopped, self._board.stop_reason
        assert not self._board.quarantine
        assert not self._board.tally.dropped_readings
