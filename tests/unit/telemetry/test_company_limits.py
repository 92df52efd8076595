"""What an upload meets of its company: suspension, rate, retention and the number of sensors."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from dashtrack.device.v1.reading_batch_pb2 import ReadingBatch, SensorColumn

from services.chassis.errors import QuotaExceeded, Unavailable
from services.telemetry.domain.companies import CompanyStanding, CompanyState, Quotas
from services.telemetry.domain.errors import (
    BatchMalformed,
    BatchTimeOutOfWindow,
    UploadRateExceeded,
    UploadsSuspended,
)
from services.telemetry.ports.ingest import KnownDevice
from services.telemetry.usecases.companies import FollowCompanies
from tests.fixtures.telemetry_fakes import COMPANY, DEVICE, NOW_MS, FakeHints, FakeProjection
from tests.unit.telemetry.test_uploading import DAY_MS, WritePath, batch_of

NEIGHBOUR = uuid.UUID(int=3)


@pytest.fixture
async def path() -> AsyncIterator[WritePath]:
    """A write path with two devices of the company."""
    path = WritePath()
    path.facts.known[NEIGHBOUR] = KnownDevice(COMPANY)
    yield path
    await path.queue.drain()


def standing(
    version: int = 1, state: CompanyState = CompanyState.ACTIVE, **quotas: int
) -> CompanyStanding:
    """How the company stands."""
    return CompanyStanding(COMPANY, version, state, Quotas(**quotas))


def with_sensors(*keys: str, **fields: Any) -> ReadingBatch:
    """A batch of these sensors."""
    columns = [SensorColumn(key=key, values=[1, 2]) for key in keys]
    return batch_of(sensors=columns, **fields)


@pytest.mark.parametrize(
    "state", [CompanyState.SUSPENDED, CompanyState.DELETING, CompanyState.DELETED]
)
async def test_boards_of_a_suspended_company_are_asked_to_come_back(
    path: WritePath, state: CompanyState
) -> None:
    """Nothing is stored, and nothing but a time to come again is said; then they go on."""
    await path.send(batch_of())
    path.companies.follow(standing(state=state))

    with pytest.raises(UploadsSuspended) as refusal:
        await path.send(batch_of(seq=1))
    # Not even a body that will never be taken is looked at: it may be kept for long.
    with pytest.raises(UploadsSuspended):
        await path.send_body(b"\xff")

    assert refusal.value.retry_after_s == 300
    assert len(path.store.stored) == 1
    path.companies.follow(standing(version=2))
    assert not (await path.send(batch_of(seq=1))).repeated


async def test_a_device_finds_its_company_as_it_stands(path: WritePath) -> None:
    """Whether its facts are read before or after the change."""
    path.facts.known[DEVICE] = KnownDevice(COMPANY, standing=standing(state=CompanyState.SUSPENDED))

    with pytest.raises(UploadsSuspended):
        await path.send(batch_of())
    with pytest.raises(UploadsSuspended):
        await path.send(batch_of(), device_id=NEIGHBOUR)


async def test_what_was_read_earlier_does_not_undo_what_came_later(path: WritePath) -> None:
    """Facts of another device that are older than what is known change nothing."""
    await path.send(batch_of())
    path.companies.follow(standing(version=3, state=CompanyState.SUSPENDED))
    path.facts.known[NEIGHBOUR] = KnownDevice(COMPANY, standing=standing(version=2))

    for device_id in (NEIGHBOUR, DEVICE):
        with pytest.raises(UploadsSuspended):
            await path.send(batch_of(seq=1), device_id=device_id)


async def test_the_rate_is_that_of_all_boards_together(path: WritePath) -> None:
    """A minute's uploads at once, then evenly; what is refused is stored in no part."""
    path.facts.known[DEVICE] = KnownDevice(COMPANY, standing=standing(uploads_per_minute_max=6))
    for seq in range(3):
        await path.send(batch_of(seq=seq))
        await path.send(batch_of(seq=seq), device_id=NEIGHBOUR)

    with pytest.raises(UploadRateExceeded) as refusal:
        await path.send(batch_of(seq=3))

    assert refusal.value.metadata["limit"] == "6"
    assert refusal.value.retry_after_s == pytest.approx(10)
    assert len(path.store.stored) == 6
    path.monotonic_s += 10
    await path.send(batch_of(seq=3))


async def test_refused_uploads_count_towards_the_rate_too(path: WritePath) -> None:
    """A board that sends rubbish uses the company's rate up, not the service."""
    path.facts.known[DEVICE] = KnownDevice(COMPANY, standing=standing(uploads_per_minute_max=1))
    with pytest.raises(BatchMalformed):
        await path.send_body(b"\xff")

    with pytest.raises(UploadRateExceeded):
        await path.send(batch_of())


async def test_other_companies_have_rates_of_their_own(path: WritePath) -> None:
    """Whatever one uses up, others don't miss."""
    path.facts.known[DEVICE] = KnownDevice(COMPANY, standing=standing(uploads_per_minute_max=1))
    path.facts.known[NEIGHBOUR] = KnownDevice(uuid.UUID(int=9))
    await path.send(batch_of())
    with pytest.raises(UploadRateExceeded):
        await path.send(batch_of(seq=1))

    for seq in range(5):
        await path.send(batch_of(seq=seq), device_id=NEIGHBOUR)


async def test_the_plan_may_narrow_the_window_and_never_widen_it(path: WritePath) -> None:
    """The shorter of the service's retention and the plan's counts."""
    await path.send(batch_of(start_unix_ms=NOW_MS - 300 * DAY_MS))
    path.companies.follow(standing(version=1, retention_d=30))
    await path.send(batch_of(start_unix_ms=NOW_MS - 30 * DAY_MS))
    with pytest.raises(BatchTimeOutOfWindow) as refusal:
        await path.send(batch_of(start_unix_ms=NOW_MS - 30 * DAY_MS - 1))
    assert refusal.value.metadata["earliest"] == str(NOW_MS - 30 * DAY_MS)

    path.companies.follow(standing(version=2, retention_d=9999))
    await path.send(batch_of(start_unix_ms=NOW_MS - 400 * DAY_MS))
    with pytest.raises(BatchTimeOutOfWindow):
        await path.send(batch_of(start_unix_ms=NOW_MS - 400 * DAY_MS - 1))


async def test_a_device_has_no_more_sensors_than_the_plan_allows(path: WritePath) -> None:
    """Over all its uploads; the batch that would exceed them is stored in no part."""
    path.facts.known[DEVICE] = KnownDevice(COMPANY, standing=standing(sensors_per_device_max=3))
    await path.send(with_sensors("a", "b"))

    with pytest.raises(QuotaExceeded) as refusal:
        await path.send(with_sensors("a", "c", "d", seq=1))

    assert refusal.value.metadata == {"quota": "sensors", "limit": "3", "used": "2"}
    assert len(path.store.stored) == 1
    await path.send(with_sensors("c", seq=2))
    await path.send(with_sensors("a", "b", "c", seq=3))
    await path.send(with_sensors("d", "e", "f"), device_id=NEIGHBOUR)


async def test_only_new_sensors_are_counted(path: WritePath) -> None:
    """What a device sends again and again costs no look-up, whoever counted it first."""
    path.facts.known[DEVICE] = KnownDevice(
        COMPANY,
        sensors=frozenset({"a", "b"}),
        standing=standing(sensors_per_device_max=3),
    )
    for seq in range(3):
        await path.send(with_sensors("a", "b", seq=seq))
    assert path.sensors.asked == 0

    for seq in range(3, 6):
        await path.send(with_sensors("c", seq=seq))
    assert path.sensors.asked == 1


async def test_without_a_limit_sensors_are_not_counted(path: WritePath) -> None:
    """Nobody asks."""
    await path.send(with_sensors(*(f"s{number}" for number in range(64))))

    assert path.sensors.asked == 0


async def test_a_batch_that_meets_an_erasure_is_kept_by_its_board(path: WritePath) -> None:
    """The store has the last word: a board never throws away what it was not told to."""
    path.store.barred.add(COMPANY)

    with pytest.raises(Unavailable):
        await path.send(batch_of())


async def test_changes_reach_the_memory_and_the_other_replicas() -> None:
    """Each change once: here at once, there by a hint, or by looking."""
    path, other = WritePath(), WritePath()
    projection, hints = FakeProjection(), FakeHints()
    here, there = (
        FollowCompanies(projection, replica.companies, hints, replica.clock)
        for replica in (path, other)
    )
    for replica in (path, other):
        await replica.send(batch_of())
    suspended = standing(version=2, state=CompanyState.SUSPENDED)

    assert not await here.take_in(suspended)
    assert not await here.take_in(suspended)

    assert hints.announced == [COMPANY]
    with pytest.raises(UploadsSuspended):
        await path.send(batch_of(seq=1))
    await other.send(batch_of(seq=1))
    await there.look_at(COMPANY)
    await there.look_at(uuid.uuid4())
    with pytest.raises(UploadsSuspended):
        await other.send(batch_of(seq=1))
    assert not await here.take_in(standing(version=3))
    await there.catch_up()
    await other.send(batch_of(seq=2))
    assert await here.take_in(replace(suspended, version=4, state=CompanyState.DELETING))
    for replica in (path, other):
        await replica.queue.drain()
