"""A fleet whose company is suspended, resumed and deleted, as boards and operators see it."""

import asyncio
import random
import secrets
import time
from typing import Any

import aiohttp
import numpy as np
import pytest

from devices.simulator.board import Board
from devices.simulator.identity import Identity
from devices.simulator.samples import Samples
from devices.simulator.transport import HttpTransport
from tests.fixtures.platform import Platform
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.timeout(180)

READINGS = 5


class HurriedClock:
    """A clock on which waits are noted and take hardly any time."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []
        self._skipped_s = 0.0

    def unix_ms(self) -> int:
        """Return the wall clock."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return the clock that never jumps back."""
        return time.monotonic() + self._skipped_s

    async def sleep(self, duration_s: float) -> None:
        """Note a wait, and have done with it soon."""
        self.waits_s.append(duration_s)
        await asyncio.sleep(0.2)
        self._skipped_s += max(0.0, duration_s - 0.2)


class Fleet:
    """One board of a company, and what it has sampled."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.company_id = platform.company()
        self.clock = HurriedClock()
        self.readings = 0
        self._start_ms = self.clock.unix_ms() - 3_600_000

    def register(self) -> Identity:
        """Register the board."""
        device = {"hardwareId": secrets.token_hex(6), "companyId": self.company_id}
        registered = self.platform.call("POST", "/v1/devices", {"device": device})
        return Identity(device["hardwareId"], registered["claimCode"])

    def record(self, board: Board) -> None:
        """Have the board sample, each second once."""
        seconds = np.arange(self.readings, self.readings + READINGS, dtype=np.int64)
        values = {"speed_kmh": np.linspace(0.0, 10.0, READINGS)}
        board.record(Samples(self._start_ms + 1000 * seconds, values))
        self.readings += READINGS

    def found(self, board: Board) -> int:
        """Count what can be read of the board."""
        answer = self.platform.call(
            "GET",
            f"/v1/devices/{board.identity.device_id}/sensors/speed_kmh/readings"
            "?startTime=2020-01-01T00:00:00Z&pageSize=1000",
        )
        return len(answer["readings"])

    def command(self, verb: str) -> Any:
        """Suspend or resume the company."""
        return self.platform.call("POST", f"/v1/companies/{self.company_id}:{verb}", {})


async def test_a_fleet_outlives_a_suspension_and_not_a_deletion(platform: Platform) -> None:
    """It keeps everything, waits as long as it is told, and delivers; deleted, it is forgotten."""
    fleet = await asyncio.to_thread(Fleet, platform)
    identity = await asyncio.to_thread(fleet.register)
    async with aiohttp.ClientSession() as session:
        board = Board(
            identity,
            HttpTransport(session, platform.stack.addresses.rest),
            clock=fleet.clock,
            rng=random.Random(1),
        )
        fleet.record(board)
        assert await board.drain(patience_s=60)

        await asyncio.to_thread(fleet.command, "suspend")
        while board.tally.answers["503"] < 2:
            fleet.record(board)
            await board.drain(patience_s=1000)
        kept = board.pending_count
        assert kept
        assert not board.stopped
        assert not board.quarantine
        assert max(fleet.clock.waits_s) >= 300

        await asyncio.to_thread(fleet.command, "resume")
        assert await board.drain(patience_s=1_000_000)
        assert await asyncio.to_thread(fleet.found, board) == fleet.readings

    def deleted() -> bool:
        company = platform.call("GET", f"/v1/companies/{fleet.company_id}")
        return bool(company["state"] == "STATE_DELETED")

    await asyncio.to_thread(fleet.command, "suspend")
    await asyncio.to_thread(platform.call, "DELETE", f"/v1/companies/{fleet.company_id}")
    await asyncio.to_thread(eventually, deleted, "the end of the deletion", patience_s=90)
    path = f"/v1/devices/{board.identity.device_id}"
    await asyncio.to_thread(platform.call, "GET", path, expect=404)
