"""What was acknowledged is there exactly once, whatever was killed meanwhile."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from services.stack.credentials import load_credentials
from tests.fixtures.platform import PROTOBUF, BoardAccess, Platform, platform_of, reading_batch
from tests.fixtures.stack import Stack, stack_in
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.timeout(300)

_BOARDS = 8
_VICTIMS = ("postgres", "nats", "telemetry", "gateway")
_RETRY_PAUSE_S = 0.05

Key = tuple[str, int, int]
"""Device, boot and sequence number."""


@pytest.fixture(scope="module")
def durable_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A stack of this module's own: its parts are killed."""
    with stack_in(tmp_path_factory.mktemp("faults") / "state") as stack:
        stack.up()
        with platform_of(stack) as platform:
            yield platform


class Uploader:
    """A board that uploads one batch after the other, each until it is acknowledged."""

    def __init__(self, client: httpx.AsyncClient, board: BoardAccess) -> None:
        self.acknowledged: list[Key] = []
        self.attempts = 0
        self._client = client
        self._board = board
        self._boot_id = uuid.uuid4().int >> 64

    async def run(self, stop: asyncio.Event) -> None:
        """Upload until told to stop; the batch under way is still brought home."""
        seq, end_s = 0, time.time() - 3000
        while not stop.is_set():
            # Batches follow one another in time, as a board's do.
            batch = reading_batch(seq=seq, boot_id=self._boot_id, end_s=end_s + 3 * seq)
            await self._deliver(batch.SerializeToString())
            self.acknowledged.append((self._board.device_id, self._boot_id, seq))
            seq += 1

    async def _deliver(self, body: bytes) -> None:
        headers = {"authorization": f"Bearer {self._board.token}", "content-type": PROTOBUF}
        while True:
            self.attempts += 1
            try:
                response = await self._client.post("/v1/telemetry", content=body, headers=headers)
            except httpx.TransportError:
                pass
            else:
                if response.status_code == 200:
                    return
                # Nothing but "later" may be answered to a good batch.
                assert response.status_code in {429, 503}, response.text
                assert "retry-after" in response.headers
            await asyncio.sleep(_RETRY_PAUSE_S)


async def _upload_under_kills(stack: Stack, boards: list[BoardAccess]) -> list[Uploader]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=stack.addresses.rest, timeout=10, limits=limits
    ) as client:
        uploaders = [Uploader(client, board) for board in boards]
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for uploader in uploaders:
                group.create_task(uploader.run(stop))
            for victim in _VICTIMS:
                await _progress(uploaders)
                killed = await asyncio.to_thread(stack.kill, victim)
                await asyncio.to_thread(stack.wait_until_back, victim, killed)
            await _progress(uploaders)
            stop.set()
    return uploaders


async def _progress(uploaders: list[Uploader]) -> None:
    """Wait until each board has had some more batches acknowledged."""
    goals = [len(uploader.acknowledged) + 5 for uploader in uploaders]
    until = time.monotonic() + 60
    while any(len(u.acknowledged) < goal for u, goal in zip(uploaders, goals, strict=True)):
        assert time.monotonic() < until, "uploads did not go on"
        await asyncio.sleep(0.02)


async def _stored(stack: Stack, device_ids: list[str]) -> Counter[Key]:
    password = load_credentials(stack.layout.secrets).databases["telemetry"]
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=stack.ports["postgres_port"],
        user="telemetry",
        password=password,
        database="telemetry",
    )
    try:
        rows = await connection.fetch(
            "SELECT device_id, boot_id, seq FROM telemetry_batch WHERE device_id = ANY($1)",
            [uuid.UUID(device_id) for device_id in device_ids],
        )
    finally:
        await connection.close()
    return Counter((str(row[0]), row[1] % 2**64, row[2]) for row in rows)


def test_acknowledged_batches_survive_kills_exactly_once(durable_platform: Platform) -> None:
    """Each part that an upload passes dies under load; no batch is lost or doubled."""
    company_id = durable_platform.company()
    boards = [durable_platform.board(company_id) for _ in range(_BOARDS)]

    uploaders = asyncio.run(_upload_under_kills(durable_platform.stack, boards))

    acknowledged = [key for uploader in uploaders for key in uploader.acknowledged]
    stored = asyncio.run(_stored(durable_platform.stack, [board.device_id for board in boards]))
    assert sum(uploader.attempts for uploader in uploaders) > len(acknowledged), (
        "no upload was ever tried twice: the kills hit nothing"
    )
    assert set(acknowledged) <= set(stored), "acknowledged, and not stored"
    assert max(stored.values()) == 1, "stored twice"
    assert set(stored) == set(acknowledged), "stored, and never acknowledged by a retry"
    for board, uploader in zip(boards, uploaders, strict=True):
        # Each batch has three readings; the history has what the table has.
        assert _count_readings(durable_platform, board) == 3 * len(uploader.acknowledged)


def _count_readings(platform: Platform, board: BoardAccess) -> int:
    path = f"/v1/devices/{board.device_id}/sensors/speed_kmh/readings"
    total, page_token = 0, ""
    while True:
        page = platform.call("GET", f"{path}?pageSize=10000&pageToken={page_token}")
        total += len(page["readings"])
        page_token = page["nextPageToken"]
        if not page_token:
            return total


def test_a_stopped_service_answers_unavailable_and_recovers(durable_platform: Platform) -> None:
    """While telemetry is gone callers are told to come back, and find it back by themselves."""
    stack = durable_platform.stack
    company_id = durable_platform.company()
    board = durable_platform.board(company_id)
    killed = stack.kill("telemetry")
    response = durable_platform.upload(board, reading_batch().SerializeToString())
    # The supervisor may have been faster than the upload.
    assert response.status_code in {200, 503}, response.text
    if response.status_code == 503:
        assert int(response.headers["retry-after"]) >= 1
    stack.wait_until_back("telemetry", killed)

    def accepted() -> bool:
        body = reading_batch().SerializeToString()
        return durable_platform.upload(board, body).status_code == 200

    eventually(accepted, "an upload to be accepted again")


def test_logs_hold_no_secret(durable_platform: Platform) -> None:
    """Neither passwords, nor board secrets, nor tokens stand in any log."""
    board = durable_platform.board(durable_platform.company())
    durable_platform.upload(board, reading_batch().SerializeToString())
    credentials = load_credentials(durable_platform.stack.layout.secrets)
    secrets = [
        board.secret,
        board.token,
        durable_platform.administrator.token,
        credentials.administrator_password,
        credentials.encryption_key,
        *credentials.databases.values(),
        *credentials.nats.values(),
        *credentials.services.values(),
    ]
    for log in sorted(Path(durable_platform.stack.addresses.logs).glob("*")):
        text = log.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], log.name
