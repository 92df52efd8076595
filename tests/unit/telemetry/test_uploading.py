"""An upload finds its place in time, or is refused for a reason."""

import asyncio
import gzip
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from dashtrack.device.v1.reading_batch_pb2 import ReadingBatch, SensorColumn

from services.telemetry.codec.links import WireBodyReader
from services.telemetry.domain.batches import BODY_BYTES_MAX, TimeWindow
from services.telemetry.domain.errors import (
    BatchConflict,
    BatchEmpty,
    BatchTimeOutOfWindow,
    BatchTooLarge,
    ContentEncodingInvalid,
    DeviceRevoked,
    UptimeRequired,
)
from services.telemetry.ports.ingest import KnownDevice
from services.telemetry.usecases.companies import CompaniesInMemory
from services.telemetry.usecases.device_facts import FactsCache
from services.telemetry.usecases.group_commit import FlushLimits, GroupCommit
from services.telemetry.usecases.uploading import Receipt, Upload, Uploads
from tests.fixtures.telemetry_fakes import (
    COMPANY,
    DEVICE,
    NOW_MS,
    FakeAnchors,
    FakeBatchStore,
    FakeFacts,
    FakeFlushObserver,
    FakePartitions,
    FakeSensors,
    FakeUploadObserver,
    FixedClock,
)

DAY_MS = 86_400_000
WINDOW = TimeWindow(back_ms=400 * DAY_MS, ahead_ms=DAY_MS)


class WritePath:
    """The write path on fakes."""

    def __init__(self) -> None:
        self.store = FakeBatchStore()
        self.facts = FakeFacts()
        self.anchors = FakeAnchors()
        self.sensors = FakeSensors()
        self.partitions = FakePartitions()
        self.monotonic_s = 0.0
        self.observer = FakeUploadObserver()
        self.clock = FixedClock()
        self.queue = GroupCommit([self.store], FlushLimits(interval_s=0), FakeFlushObserver())
        self.restart()

    def restart(self) -> None:
        """Forget what is only in memory."""
        self.companies = CompaniesInMemory(WINDOW, monotonic=lambda: self.monotonic_s)
        self.cache = FactsCache(self.facts, self.companies)
        self.uploads = Uploads(
            WireBodyReader(),
            self.cache,
            self.anchors,
            self.sensors,
            self.partitions,
            self.queue,
            self.observer,
            suspended_retry_s=300,
            clock=self.clock,
            monotonic=lambda: self.monotonic_s,
        )

    async def send(self, batch: ReadingBatch, **beside: Any) -> Receipt:
        """Upload a batch."""
        return await self.send_body(batch.SerializeToString(), **beside)

    async def send_body(self, body: bytes, **beside: Any) -> Receipt:
        """Upload a body."""
        beside.setdefault("device_id", DEVICE)
        return await self.uploads.accept(Upload(body=body, **beside))

    @property
    def stored_at_ms(self) -> list[int]:
        """The starts of the stored batches."""
        return sorted(key[2] for key in self.store.stored)


@pytest.fixture
async def path() -> AsyncIterator[WritePath]:
    """A write path."""
    path = WritePath()
    yield path
    await path.queue.drain()


def batch_of(**fields: Any) -> ReadingBatch:
    """A small batch."""
    usual: dict[str, Any] = {
        "boot_id": 7,
        "sample_count": 2,
        "step_ms": 1000,
        "sensors": [SensorColumn(key="speed_kmh", values=[1, 2])],
    }
    if "start_uptime_ms" not in fields:
        usual["start_unix_ms"] = NOW_MS - 5000
    return ReadingBatch(**(usual | fields))


async def test_a_batch_is_stored_as_it_came(path: WritePath) -> None:
    """The payload is the body; the key is what the body says."""
    body = batch_of(seq=3, part=2).SerializeToString()

    receipt = await path.send_body(body)

    (stored,) = path.store.groups[0]
    assert stored.payload == body
    assert (stored.t0_ms, stored.t1_ms) == (NOW_MS - 5000, NOW_MS - 4000)
    assert (stored.company_id, stored.boot_id, stored.seq, stored.part) == (COMPANY, 7, 3, 2)
    assert (receipt.seq, receipt.part, receipt.repeated) == (3, 2, False)


async def test_a_retry_is_acknowledged_again(path: WritePath) -> None:
    """The same bytes under the same key are a repeat, not an error."""
    await path.send(batch_of())

    assert (await path.send(batch_of())).repeated
    assert path.observer.events == ["stored", "repeated"]


async def test_gzip_does_not_change_the_identity(path: WritePath) -> None:
    """The digest is that of the plain body."""
    await path.send(batch_of())

    body = gzip.compress(batch_of().SerializeToString())
    assert (await path.send_body(body, content_encoding="gzip")).repeated


async def test_another_payload_under_the_same_key_is_refused(path: WritePath) -> None:
    """It is neither stored nor dropped in silence."""
    await path.send(batch_of())

    with pytest.raises(BatchConflict) as refused:
        await path.send(batch_of(dropped_readings=1))

    assert refused.value.metadata == {"boot_id": "7", "seq": "0", "part": "0"}
    assert path.observer.events == ["stored", "BATCH_CONFLICT"]


@pytest.mark.parametrize(
    ("start_ms", "accepted"),
    [
        (NOW_MS - 400 * DAY_MS, True),
        (NOW_MS - 400 * DAY_MS - 1, False),
        (NOW_MS + DAY_MS - 1000, True),
        (NOW_MS + DAY_MS - 999, False),
        (-1, False),
        (2**62, False),
    ],
)
async def test_times_are_refused_outside_of_the_window_and_never_moved(
    path: WritePath, start_ms: int, *, accepted: bool
) -> None:
    """The window is retention back and a day ahead, for the whole of the batch."""
    if accepted:
        await path.send(batch_of(start_unix_ms=start_ms))
        assert path.stored_at_ms == [start_ms]
        return
    with pytest.raises(BatchTimeOutOfWindow) as refused:
        await path.send(batch_of(start_unix_ms=start_ms))
    assert refused.value.metadata == {
        "t0": str(start_ms),
        "earliest": str(NOW_MS - 400 * DAY_MS),
        "latest": str(NOW_MS + DAY_MS),
    }
    assert not path.stored_at_ms


async def test_a_boot_keeps_its_first_anchor(path: WritePath) -> None:
    """A retry whose uptime has moved on, after a restart, meets the same key."""
    batch = batch_of(start_uptime_ms=60_000)
    await path.send(batch, uptime_ms="70000")

    path.clock.now_ms += 5000
    path.restart()
    receipt = await path.send(batch, uptime_ms="75123")

    assert receipt.repeated
    assert path.stored_at_ms == [NOW_MS - 70_000 + 60_000]


async def test_later_batches_of_a_boot_use_its_anchor(path: WritePath) -> None:
    """A clock that drifts doesn't stretch the axis."""
    await path.send(batch_of(start_uptime_ms=0), uptime_ms="1000")
    path.clock.now_ms += 10_000

    await path.send(batch_of(start_uptime_ms=10_000, seq=1), uptime_ms="10900")

    assert path.stored_at_ms == [NOW_MS - 1000, NOW_MS + 9000]


async def test_an_anchor_that_leads_out_of_the_window_is_not_kept(path: WritePath) -> None:
    """A board that lied about its uptime once can do better."""
    batch = batch_of(start_uptime_ms=0)
    with pytest.raises(BatchTimeOutOfWindow):
        await path.send(batch, uptime_ms=str(500 * DAY_MS))

    await path.send(batch, uptime_ms="1000")

    assert path.stored_at_ms == [NOW_MS - 1000]


@pytest.mark.parametrize("uptime", ["", "-1", "1.5", "soon", "٣", "9" * 17, str(2**53)])
async def test_a_boot_relative_batch_needs_an_uptime(path: WritePath, uptime: str) -> None:
    """Without it nobody knows when the board was booted."""
    with pytest.raises(UptimeRequired):
        await path.send(batch_of(start_uptime_ms=1), uptime_ms=uptime)


async def test_a_partition_is_made_before_the_batch_is_queued(path: WritePath) -> None:
    """A batch from the past finds its place in the table."""
    await path.send(batch_of(start_unix_ms=NOW_MS - 100 * DAY_MS))

    assert path.partitions.made == [NOW_MS - 100 * DAY_MS]


async def test_the_span_bound_of_a_device_only_grows(path: WritePath) -> None:
    """It is written when a batch exceeds it, rounded up so that this is rare."""
    for seq, step_ms in enumerate((1000, 3000, 2500, 5000)):
        await path.send(batch_of(seq=seq, step_ms=step_ms))

    widened = [group[0].widened_span_ms for group in path.store.groups]
    assert widened == [1024, 4096, 0, 8192]


@pytest.mark.parametrize("disabled", [True, None])
async def test_disabled_and_unknown_devices_are_shut_out(
    path: WritePath, *, disabled: bool | None
) -> None:
    """A token that outlived its device opens nothing."""
    if disabled is None:
        path.facts.known.clear()
    else:
        path.facts.known[DEVICE] = KnownDevice(COMPANY, disabled=True)

    with pytest.raises(DeviceRevoked):
        await path.send(batch_of())


async def test_facts_are_looked_up_once_for_all_who_wait(path: WritePath) -> None:
    """A board that hangs up meanwhile doesn't take the look-up with it."""
    path.facts.go_on.clear()
    sending = [asyncio.create_task(path.send(batch_of(seq=seq))) for seq in range(3)]
    await asyncio.sleep(0)
    sending[0].cancel()
    await asyncio.sleep(0)
    path.facts.go_on.set()

    await asyncio.gather(*sending[1:])

    assert path.facts.asked == 1


async def test_a_change_during_the_look_up_is_not_missed(path: WritePath) -> None:
    """What was read before the change is not kept."""
    path.facts.go_on.clear()
    sending = asyncio.create_task(path.send(batch_of()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    path.facts.known[DEVICE] = KnownDevice(COMPANY, disabled=True)
    path.cache.forget(DEVICE)
    path.facts.go_on.set()
    await sending

    with pytest.raises(DeviceRevoked):
        await path.send(batch_of(seq=1))


async def test_bodies_are_bounded_before_and_after_decompression(path: WritePath) -> None:
    """A bomb is not unpacked."""
    for body, encoding in (
        (b"x" * (BODY_BYTES_MAX + 1), ""),
        (gzip.compress(b"x" * (BODY_BYTES_MAX + 1)), "gzip"),
        (gzip.compress(b"x" * 50_000_000), "gzip"),
    ):
        with pytest.raises(BatchTooLarge) as refused:
            await path.send_body(body, content_encoding=encoding)
        assert refused.value.metadata["what"] == "body_bytes"
        assert refused.value.metadata["limit"] == str(BODY_BYTES_MAX)


@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "br"])
async def test_an_empty_body_is_an_error(path: WritePath, encoding: str) -> None:
    """It would be acknowledged as nothing."""
    with pytest.raises(BatchEmpty):
        await path.send_body(b"", content_encoding=encoding)


@pytest.mark.parametrize(
    ("damage", "encoding"),
    [
        (lambda body: body[:-1], "gzip"),
        (lambda body: body[:-5] + b"\0" + body[-4:], "gzip"),
        (lambda body: b"not gzip" + body, "gzip"),
        (lambda body: body + b"rest", "gzip"),
        (lambda body: body, "br"),
    ],
    ids=["truncated", "altered", "prefixed", "trailed", "other"],
)
async def test_a_body_that_does_not_decode_is_refused(
    path: WritePath, damage: Any, encoding: str
) -> None:
    """Truncated, altered, not gzip at all, or another encoding."""
    body = damage(gzip.compress(batch_of().SerializeToString()))

    with pytest.raises(ContentEncodingInvalid):
        await path.send_body(body, content_encoding=encoding)


async def test_gzip_members_are_joined(path: WritePath) -> None:
    """A body may legally be several members."""
    body = batch_of().SerializeToString()

    await path.send_body(gzip.compress(body[:9]) + gzip.compress(body[9:]), content_encoding="GZIP")

    assert path.store.groups[0][0].payload == body


async def test_unknown_devices_are_told_apart(path: WritePath) -> None:
    """Facts belong to one device."""
    await path.send(batch_of())

    with pytest.raises(DeviceRevoked):
        await path.send(batch_of(), device_id=uuid.UUID(int=99))
