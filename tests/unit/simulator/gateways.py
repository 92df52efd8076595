"""A clock that doesn't wait, and a transport that answers as it is told."""

import gzip
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dashtrack.device.v1 import device_link_service_pb2 as link
from dashtrack.device.v1 import reading_batch_pb2

from devices.simulator.board import CLAIM_PATH, EXCHANGE_PATH
from devices.simulator.transport import NoReply, Reply

NOW_MS = 1_700_000_000_000
CLAIM_CODE = "CLAIM-CODE-1"
DEVICE_ID = "0190a0b0-0000-7000-8000-000000000001"


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.sleeps_s: list[float] = []

    def unix_ms(self) -> int:
        """Return the wall clock."""
        return NOW_MS + round((self.now_s - 1000.0) * 1000)

    def monotonic_s(self) -> float:
        """Return the clock that never jumps."""
        return self.now_s

    async def sleep(self, duration_s: float) -> None:
        """Let time pass."""
        self.sleeps_s.append(duration_s)
        self.now_s += duration_s


@dataclass(frozen=True, slots=True)
class Request:
    """What a board sent."""

    path: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def batch(self) -> reading_batch_pb2.ReadingBatch:
        """The batch in an upload."""
        zipped = self.headers.get("content-encoding") == "gzip"
        return reading_batch_pb2.ReadingBatch.FromString(
            gzip.decompress(self.body) if zipped else self.body
        )


@dataclass
class FakeGateway:
    """Accepts everything, unless the next answers say otherwise; a reply of None breaks off."""

    secret: str = "s" * 32
    server_unix_ms: Callable[[], int] = lambda: NOW_MS
    claim_replies: deque[Reply | None] = field(default_factory=deque)
    exchange_replies: deque[Reply | None] = field(default_factory=deque)
    upload_replies: deque[Reply | None] = field(default_factory=deque)
    ack_fields: dict[str, object] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    stored: list[reading_batch_pb2.ReadingBatch] = field(default_factory=list)
    on_upload: Callable[[], None] = lambda: None
    """Called while an upload is on its way."""

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Note the request and answer it."""
        request = Request(path, body, dict(headers))
        self.requests.append(request)
        if path == CLAIM_PATH:
            return _next(self.claim_replies) or self._claimed()
        if path == EXCHANGE_PATH:
            return _next(self.exchange_replies) or self._exchanged()
        self.on_upload()
        return _next(self.upload_replies) or self._stored(request.batch)

    @property
    def uploads(self) -> list[Request]:
        """The uploads among the requests."""
        return [r for r in self.requests if r.path not in {CLAIM_PATH, EXCHANGE_PATH}]

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [request.path for request in self.requests]

    def _claimed(self) -> Reply:
        answer = link.ClaimDeviceResponse(
            device_id=DEVICE_ID, secret=self.secret, server_unix_ms=self.server_unix_ms()
        )
        return Reply(200, answer.SerializeToString())

    def _exchanged(self) -> Reply:
        count = self.paths.count(EXCHANGE_PATH)
        answer = link.ExchangeSecretResponse(
            token=f"token-{count}", expires_in_s=86_400, server_unix_ms=self.server_unix_ms()
        )
        return Reply(200, answer.SerializeToString())

    def _stored(self, batch: reading_batch_pb2.ReadingBatch) -> Reply:
        self.stored.append(batch)
        ack = reading_batch_pb2.UploadAck(boot_id=batch.boot_id, seq=batch.seq, part=batch.part)
        for name, value in self.ack_fields.items():
            setattr(ack, name, value)
        return Reply(200, ack.SerializeToString())


def _next(replies: deque[Reply | None]) -> Reply | None:
    if not replies:
        return None
    reply = replies.popleft()
    if reply is None:
        raise NoReply("connection reset")
    return reply
