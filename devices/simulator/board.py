"""One board: claims itself, keeps what it sampled, uploads it, and obeys the answers."""

import math
import random
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TypeVar

from dashtrack.device.v1 import device_link_service_pb2 as link
from dashtrack.device.v1 import reading_batch_pb2
from google.protobuf.message import DecodeError, Message

from devices.simulator.batching import DEFAULT_LIMITS, Limits
from devices.simulator.boot import BootTime, TimeSource
from devices.simulator.clock import Clock, SystemClock
from devices.simulator.identity import ForgetfulStore, Identity, IdentityStore
from devices.simulator.pending import PendingBatch
from devices.simulator.policy import Backoff, Verdict, judge, retry_after_s
from devices.simulator.recorder import Recorder, RecorderOptions
from devices.simulator.samples import Samples
from devices.simulator.tally import Tally
from devices.simulator.transport import NoReply, Reply, Transport

CLAIM_PATH = "/v1/devices:claim"
EXCHANGE_PATH = "/v1/devices:exchange"
UPLOAD_PATH = "/v1/telemetry"

_NO_REPLY = Reply(status=0)
_QUARANTINE_MAX = 16
_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class BoardOptions:
    """How a board is built and configured."""

    recorder: RecorderOptions = field(default_factory=RecorderOptions)
    time_source: TimeSource = TimeSource.CLOCK
    backoff: Backoff = field(default_factory=Backoff)
    firmware: str = "simulator-0.1.0"


@dataclass(frozen=True, slots=True, eq=False)
class QuarantinedBatch:
    """A batch that the server will never take, and why."""

    batch: PendingBatch
    status: int
    reason: str


class Board:
    """A board from one boot to the next: a new object is a new boot."""

    def __init__(
        self,
        identity: Identity,
        transport: Transport,
        *,
        options: BoardOptions | None = None,
        store: IdentityStore | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        booted_unix_ms: int | None = None,
    ) -> None:
        self.identity = identity
        self.tally = Tally()
        self.quarantine: deque[QuarantinedBatch] = deque(maxlen=_QUARANTINE_MAX)
        self.stop_reason = ""
        self.next_upload_s = 0
        self.config_version = 0
        self._transport = transport
        self._options = options or BoardOptions()
        self._store = store or ForgetfulStore()
        self._clock = clock or SystemClock()
        self._rng = rng or random.SystemRandom()
        self._time = BootTime(self._clock, self._options.time_source, booted_unix_ms)
        self._recorder = Recorder(
            self._rng.getrandbits(64) or 1, self._time, self._options.recorder
        )
        self._token = ""
        self._failures = 0
        self._quiet_until_s = 0.0

    @property
    def pending_count(self) -> int:
        """Return the number of batches that wait to be acknowledged."""
        return len(self._recorder.pending)

    @property
    def full(self) -> bool:
        """Return whether the next batch pushes the oldest one out."""
        return self._recorder.pending.full

    @property
    def stopped(self) -> bool:
        """Return whether the board was told to stop."""
        return bool(self.stop_reason)

    def record(self, samples: Samples) -> None:
        """Encode samples and keep them until they are acknowledged or room runs out."""
        self.tally.dropped_readings += self._recorder.record(samples)

    async def drain(self, *, pending_max: int = 0, patience_s: float = math.inf) -> bool:
        """Send until no more than `pending_max` batches wait; return whether that was reached.

        Waits as long as the server or the backoff demands, but gives in after `patience_s`.
        """
        give_in_s = self._clock.monotonic_s() + patience_s
        while not self.stopped and not (self._ready and self.pending_count <= pending_max):
            wait_s = self._quiet_until_s - self._clock.monotonic_s()
            if self._clock.monotonic_s() + max(wait_s, 0.0) > give_in_s:
                break
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            await self.step()
        return self.pending_count <= pending_max

    async def step(self) -> None:
        """Send the one request that is due now: claim, exchange or upload."""
        if self.stopped:
            return
        if not self.identity.claimed:
            await self._claim()
        elif not self._token:
            await self._exchange()
        elif self.pending_count:
            await self._upload(self._recorder.pending.oldest())

    @property
    def _ready(self) -> bool:
        return self.identity.claimed and bool(self._token)

    async def _claim(self) -> None:
        if not self.identity.nonce:
            # Kept before it is sent: with another nonce the same code would be refused.
            self._keep(replace(self.identity, nonce=self._rng.randbytes(16).hex()))
        request = link.ClaimDeviceRequest(
            claim_code=self.identity.claim_code,
            hardware_id=self.identity.hardware_id,
            nonce=bytes.fromhex(self.identity.nonce),
        )
        answer = await self._ask(CLAIM_PATH, request, link.ClaimDeviceResponse, "secret")
        if answer is not None:
            self._keep(replace(self.identity, device_id=answer.device_id, secret=answer.secret))
            self._time.hear_server_time(answer.server_unix_ms)
            self.tally.claims += 1

    async def _exchange(self) -> None:
        request = link.ExchangeSecretRequest(
            device_id=self.identity.device_id, secret=self.identity.secret
        )
        answer = await self._ask(EXCHANGE_PATH, request, link.ExchangeSecretResponse, "token")
        if answer is not None:
            self._token = answer.token
            self._time.hear_server_time(answer.server_unix_ms)
            self.tally.exchanges += 1

    async def _ask(
        self, path: str, request: Message, answer_type: type[_M], wanted: str
    ) -> _M | None:
        """Send a credential; a refusal is final, since asking again can't make it right."""
        reply = await self._send(path, request.SerializeToString(), {})
        verdict = judge(reply.status)
        if verdict is Verdict.DELETE:
            answer = _parsed(reply, answer_type)
            if answer is not None and getattr(answer, wanted):
                return answer
        if verdict in {Verdict.QUARANTINE, Verdict.AUTHENTICATE, Verdict.STOP}:
            self._stop(reply)
        else:
            self._back_off(reply)
        return None

    async def _upload(self, batch: PendingBatch) -> None:
        batch.attempts += 1
        batch.sending = True
        self.tally.retries += batch.attempts > 1
        started_s = self._clock.monotonic_s()
        try:
            reply = await self._send(UPLOAD_PATH, batch.body, self._upload_headers(batch))
        finally:
            batch.sending = False
        match judge(reply.status):
            case Verdict.DELETE:
                self._acknowledged(batch, reply, self._clock.monotonic_s() - started_s)
            case Verdict.QUARANTINE:
                self._quarantine(batch, reply)
            case Verdict.AUTHENTICATE:
                self._token = ""
                # At once the first time; a token that is refused again and again needs patience.
                self._failures += 1
                if self._failures > 1:
                    self._wait(self._options.backoff.wait_s(self._failures, self._rng))
            case Verdict.STOP:
                self._stop(reply)
            case Verdict.SPLIT:
                self._split(batch, reply)
            case Verdict.RETRY:
                self._back_off(reply)

    def _upload_headers(self, batch: PendingBatch) -> dict[str, str]:
        headers = {
            "authorization": f"Bearer {self._token}",
            "x-dashtrack-uptime-ms": str(self._time.uptime_ms()),
            "x-dashtrack-attempt": str(batch.attempts),
            "x-dashtrack-signal-dbm": str(self._rng.randint(-95, -55)),
        }
        return headers | ({"content-encoding": "gzip"} if batch.gzipped else {})

    def _acknowledged(self, batch: PendingBatch, reply: Reply, took_s: float) -> None:
        ack = _parsed(reply, reading_batch_pb2.UploadAck)
        key = batch.key
        if ack is None or (ack.boot_id, ack.seq, ack.part) != (key.boot_id, key.seq, key.part):
            # Something between the board and the server says 200 to everything.
            self._back_off(reply)
            return
        self._recorder.pending.replace_oldest()
        self._failures = 0
        self._token = ack.token or self._token
        self.next_upload_s = ack.next_upload_s
        self.config_version = ack.config_version
        if ack.HasField("limits"):
            self._recorder.limits = Limits(
                body_bytes_max=ack.limits.body_bytes_max or DEFAULT_LIMITS.body_bytes_max,
                readings_max=ack.limits.readings_max or DEFAULT_LIMITS.readings_max,
            )
        self.tally.uploads += 1
        self.tally.repeats += ack.repeated
        self.tally.readings += batch.reading_count
        self.tally.body_bytes += len(batch.body)
        self.tally.latencies_ms.append(took_s * 1000)

    def _quarantine(self, batch: PendingBatch, reply: Reply) -> None:
        pending = self._recorder.pending
        pending.replace_oldest()
        pending.lost_readings += batch.dropped_readings
        self.quarantine.append(QuarantinedBatch(batch, reply.status, _reason(reply)))
        self.tally.quarantined += 1
        self._failures = 0

    def _split(self, batch: PendingBatch, reply: Reply) -> None:
        if self._recorder.split_oldest():
            self.tally.splits += 1
        else:
            self._quarantine(batch, reply)

    def _stop(self, reply: Reply) -> None:
        self.stop_reason = _reason(reply)
        self.tally.stopped = 1

    def _back_off(self, reply: Reply) -> None:
        self._failures += 1
        asked_s = None
        if reply.status in {429, 503}:
            asked_s = retry_after_s(reply.headers, self._clock.unix_ms())
        if asked_s is None:
            self._wait(self._options.backoff.wait_s(self._failures, self._rng))
        else:
            # A tenth more at random, so that a fleet doesn't come back as one.
            self._wait(asked_s * self._rng.uniform(1.0, 1.1))

    def _wait(self, duration_s: float) -> None:
        self._quiet_until_s = self._clock.monotonic_s() + duration_s

    async def _send(self, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        headers["x-dashtrack-firmware"] = self._options.firmware
        try:
            reply = await self._transport.post(path, body, headers)
        except NoReply:
            reply = _NO_REPLY
        self.tally.answers[str(reply.status) if reply.status else "no reply"] += 1
        return reply

    def _keep(self, identity: Identity) -> None:
        self.identity = identity
        self._store.save(identity)


def _parsed(reply: Reply, answer_type: type[_M]) -> _M | None:
    try:
        return answer_type.FromString(reply.body)
    except DecodeError:
        return None


def _reason(reply: Reply) -> str:
    return reply.headers.get("x-dashtrack-reason") or f"HTTP {reply.status}"
