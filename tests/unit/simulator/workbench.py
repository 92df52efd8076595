"""A board on a bench: with a gateway and a clock that obey the test."""

import random

import numpy as np

from devices.simulator.board import Board, BoardOptions
from devices.simulator.identity import Identity
from devices.simulator.samples import Samples
from devices.simulator.transport import Reply
from tests.unit.simulator.gateways import CLAIM_CODE, NOW_MS, FakeClock, FakeGateway

IDENTITY = Identity(hardware_id="aa:bb:cc", claim_code=CLAIM_CODE)


def samples(count: int = 4, start_ms: int = NOW_MS, sensor: str = "speed_kmh") -> Samples:
    """Samples of one sensor, a second apart."""
    return Samples(
        start_ms + 1000 * np.arange(count, dtype=np.int64),
        {sensor: np.linspace(0.0, 10.0, count)},
    )


class Bench:
    """A board on a bench: with a gateway and a clock that obey the test."""

    def __init__(
        self, options: BoardOptions | None = None, *, booted_unix_ms: int | None = None
    ) -> None:
        self.gateway = FakeGateway()
        self.clock = FakeClock()
        self.board = Board(
            IDENTITY,
            self.gateway,
            options=options,
            clock=self.clock,
            rng=random.Random(1),
            booted_unix_ms=booted_unix_ms,
        )

    async def upload(self, *replies: Reply | None, batches: int = 1) -> None:
        """Let the board get rid of batches while the gateway gives these answers first."""
        self.gateway.upload_replies.extend(replies)
        for index in range(batches):
            self.board.record(samples(start_ms=NOW_MS + 10_000 * index))
        await self.board.drain(patience_s=100_000)
