"""Boards keep what they have while their company is suspended, and deliver it afterwards."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator

import grpc.aio
import numpy as np
import pytest

from devices.simulator.board import EXCHANGE_PATH, UPLOAD_PATH, Board
from devices.simulator.identity import Identity
from devices.simulator.samples import Samples
from services.telemetry.settings import TelemetrySettings
from tests.fixtures.boards_over_grpc import GrpcTransport
from tests.fixtures.company_directory import ACTIVE, SUSPENDED, ScriptedDirectory
from tests.fixtures.nats import NatsServer
from tests.fixtures.postgres import FreshDatabase
from tests.fixtures.serving import ServedService, settings_for
from tests.fixtures.telemetry_storage import now_ms
from tests.fixtures.token_authority import TokenAuthority
from tests.integration.telemetry.conftest import CLAIM_KEY, Fleet
from tests.integration.telemetry.conftest import Board as Registered

RETRY_S = 77
BATCHES = 5
READINGS = 4
EVERYTHING = {"start_time": {"seconds": 1}, "end_time": {"seconds": 4_000_000_000}}


@pytest.fixture(scope="module")
def telemetry_settings(
    telemetry_database: FreshDatabase,
    nats_server: NatsServer,
    token_authority: TokenAuthority,
    directory: ScriptedDirectory,
) -> TelemetrySettings:
    """The settings of a service that asks the test's directory."""
    return settings_for(
        TelemetrySettings,
        telemetry_database,
        nats_server,
        token_authority,
        companies_target=directory.target,
        claim_key=CLAIM_KEY,
        suspended_retry_s=RETRY_S,
    )


@pytest.fixture
def company_id(directory: ScriptedDirectory) -> uuid.UUID:
    """A company without limits."""
    return directory.add()


class ScriptedClock:
    """A clock that passes by sleeping alone, and has the company resumed after some waits."""

    def __init__(self, directory: ScriptedDirectory, company_id: uuid.UUID) -> None:
        self._directory = directory
        self._company_id = company_id
        self._now_s = 0.0
        self._started_ms = now_ms()
        self.sleeps_s: list[float] = []

    def unix_ms(self) -> int:
        """Return the wall clock."""
        return self._started_ms

    def monotonic_s(self) -> float:
        """Return the clock that never jumps."""
        return self._now_s

    async def sleep(self, duration_s: float) -> None:
        """Let time pass; after the third wait the company goes on."""
        self.sleeps_s.append(duration_s)
        self._now_s += duration_s
        if len(self.sleeps_s) == 3:
            self._directory.set(self._company_id, ACTIVE)
            await asyncio.to_thread(self._directory.announce, self._company_id)
        # The service needs a moment of the real time to hear of it.
        await asyncio.sleep(0.1)


@pytest.fixture
async def transport(telemetry_service: ServedService) -> AsyncIterator[GrpcTransport]:
    """What a board reaches the service by."""
    async with grpc.aio.insecure_channel(telemetry_service.target) as channel:
        yield GrpcTransport(channel)


class Sampler:
    """Gives a board samples, each of a second of its own."""

    def __init__(self, board: Board) -> None:
        self.readings = 0
        self._board = board
        self._start_ms = now_ms() - 3_600_000

    def record(self) -> None:
        """Have the board sample for a batch."""
        seconds = np.arange(self.readings, self.readings + READINGS, dtype=np.int64)
        values = np.linspace(0.0, 10.0, READINGS)
        self._board.record(Samples(self._start_ms + 1000 * seconds, {"speed_kmh": values}))
        self.readings += READINGS


@pytest.mark.parametrize("tokens_end", [False, True], ids=["with-tokens", "tokens-revoked"])
async def test_a_board_waits_out_a_suspension_without_a_loss(
    transport: GrpcTransport, fleet: Fleet, directory: ScriptedDirectory, *, tokens_end: bool
) -> None:
    """Whether its uploads are refused, or its token first and then the exchange of its secret."""
    registered = await asyncio.to_thread(fleet.register)
    clock = ScriptedClock(directory, fleet.company_id)
    board = Board(
        Identity(registered.device.hardware_id, registered.claim_code),
        transport,
        clock=clock,
        rng=random.Random(1),
    )
    sampler = Sampler(board)
    assert await board.drain(patience_s=10)
    directory.set(fleet.company_id, SUSPENDED)
    await asyncio.to_thread(directory.announce, fleet.company_id)
    while "503" not in board.tally.answers:
        sampler.record()
        await board.step()
    transport.answers.clear()
    clock.sleeps_s.clear()
    if tokens_end:
        # What a board does upon a 401: it forgets its token, and exchanges its secret.
        board._token = ""
    while board.pending_count < BATCHES:
        sampler.record()

    assert await board.drain(patience_s=1_000_000)

    assert not board.stopped
    assert not board.quarantine
    refused_path = EXCHANGE_PATH if tokens_end else UPLOAD_PATH
    waits = [path for path, status in transport.answers if status == 503]
    assert set(waits) == {refused_path}
    assert len(waits) >= 2
    assert all(RETRY_S <= wait_s <= 1.1 * RETRY_S for wait_s in clock.sleeps_s[: len(waits)])
    device_id = uuid.UUID(board.identity.device_id)
    found = await asyncio.to_thread(
        fleet.history, Registered(device_id, fleet.company_id, ""), "speed_kmh", **EVERYTHING
    )
    assert len(found) == board.tally.readings == sampler.readings
