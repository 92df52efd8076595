"""What every store of batches promises, in memory and in PostgreSQL alike."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.telemetry.domain.batches import NewBatch, Verdict
from services.telemetry.domain.companies import CompanyStanding, CompanyState
from services.telemetry.ports.ingest import BatchStore, BootAnchors, StatementRefused
from services.telemetry.storage.batch_store import PostgresBatchStore
from services.telemetry.storage.boots import PostgresBootAnchors
from services.telemetry.storage.companies import PostgresCompanies
from services.telemetry.storage.partitions import PostgresPartitions
from services.telemetry.storage.sensors import PostgresSensors
from services.telemetry.storage.tables import DEVICE_SPAN
from tests.fixtures.telemetry_fakes import FakeAnchors, FakeBatchStore, new_batch
from tests.fixtures.telemetry_storage import now_ms


@dataclass
class Subject:
    """The store under test, and a batch that it can't store."""

    store: BatchStore
    unstorable: NewBatch


@pytest.fixture
async def postgres_store(
    telemetry_pool: Database, partitions: PostgresPartitions
) -> AsyncIterator[PostgresBatchStore]:
    """The store that is used."""
    store = PostgresBatchStore(telemetry_pool, partitions)
    yield store
    await store.close()


@pytest.fixture(params=["fake", "postgres"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """The adapter under test."""
    if request.param == "fake":
        return Subject(FakeBatchStore(), batch(payload=b"poison"))
    return Subject(request.getfixturevalue("postgres_store"), batch(part=2**31))


@pytest.fixture(params=["fake", "postgres"])
def anchors(request: pytest.FixtureRequest) -> BootAnchors:
    """The adapter under test."""
    if request.param == "fake":
        return FakeAnchors()
    return PostgresBootAnchors(request.getfixturevalue("telemetry_pool"))


def batch(seq: int = 0, payload: bytes = b"payload", **fields: int | uuid.UUID) -> NewBatch:
    """A batch of a device of its own."""
    device = {"device_id": uuid.uuid4(), "t0_ms": now_ms(), "t1_ms": now_ms() + 1}
    return new_batch(seq, payload, **(device | fields))


async def test_new_batches_are_stored(subject: Subject) -> None:
    """Of several companies and devices, with the largest numbers that the protocol has."""
    batches = [
        batch(),
        batch(seq=2**32 - 1, boot_id=2**64 - 1, part=65_535),
        replace(batch(), company_id=uuid.uuid4()),
    ]

    stored = await subject.store.store(sorted(batches, key=lambda batch: batch.key))

    assert stored.verdicts == [Verdict.STORED] * 3


async def test_positions_in_the_log_grow(subject: Subject) -> None:
    """A later flush stands behind an earlier one."""
    positions = [(await subject.store.store([batch()])).position for _ in range(3)]

    assert positions == sorted(set(positions))


async def test_repeats_and_conflicts_are_told_apart(subject: Subject) -> None:
    """In one group, next to new ones, in the order of the group."""
    known = [batch(seq) for seq in range(2)]
    for one in known:
        await subject.store.store([one])
    other = new_batch(1, b"other").digest
    group = [known[0], replace(known[1], digest=other, payload=b"other"), batch(2)]

    stored = await subject.store.store(group)

    assert stored.verdicts == [Verdict.REPEATED, Verdict.CONFLICTING, Verdict.STORED]
    # What is stored stays what it was.
    again = await subject.store.store([known[1]])
    assert again.verdicts == [Verdict.REPEATED]


async def test_a_group_without_anything_new_is_fine(subject: Subject) -> None:
    """Every board retried."""
    known = batch()
    await subject.store.store([known])

    assert (await subject.store.store([known])).verdicts == [Verdict.REPEATED]


async def test_the_key_is_all_of_the_key(subject: Subject) -> None:
    """Batches that differ in one part of it are different batches."""
    one = batch()
    others = [
        replace(one, seq=1),
        replace(one, part=1),
        replace(one, boot_id=8),
        replace(one, t0_ms=one.t0_ms + 1),
        replace(one, device_id=uuid.uuid4()),
        replace(one, company_id=uuid.uuid4()),
    ]

    stored = await subject.store.store([one, *others])

    assert stored.verdicts == [Verdict.STORED] * 7


async def test_a_group_with_an_unstorable_batch_is_refused_whole(subject: Subject) -> None:
    """Nothing of it is stored, and the store goes on."""
    good = batch()
    with pytest.raises(StatementRefused):
        await subject.store.store([good, subject.unstorable])

    assert (await subject.store.store([good])).verdicts == [Verdict.STORED]


async def test_the_first_anchor_of_a_boot_holds(anchors: BootAnchors) -> None:
    """For its device and boot alone."""
    company_id, device_id = uuid.uuid4(), uuid.uuid4()
    boot_id = 2**64 - 1

    assert await anchors.settle(company_id, device_id, boot_id, 1000) == 1000
    assert await anchors.settle(company_id, device_id, boot_id, 2000) == 1000
    assert await anchors.settle(company_id, device_id, boot_id - 1, 3000) == 3000
    assert await anchors.settle(company_id, uuid.uuid4(), boot_id, 4000) == 4000


async def test_a_company_that_is_erased_is_stored_nothing_of(
    subject: Subject, request: pytest.FixtureRequest
) -> None:
    """Its batches are barred, and nobody else's in the same group; nor do they leave a bound."""
    gone, stays = sorted(
        (batch(company_id=uuid.uuid4(), widened_span_ms=1024) for _ in range(2)),
        key=lambda each: each.key,
    )
    if isinstance(subject.store, FakeBatchStore):
        subject.store.barred.add(gone.company_id)
    else:
        pool: Database = request.getfixturevalue("telemetry_pool")
        deleted = CompanyStanding(gone.company_id, 1, CompanyState.DELETING)
        await PostgresCompanies(pool).apply(deleted, datetime.now(UTC))
        with pytest.raises(Unavailable):
            await PostgresBootAnchors(pool).settle(gone.company_id, gone.device_id, 7, 5)
        with pytest.raises(Unavailable):
            await PostgresSensors(pool).admit(gone.company_id, gone.device_id, {"a"}, 5)

    stored = await subject.store.store([gone, stays])

    assert stored.verdicts == [Verdict.BARRED, Verdict.STORED]
    if not isinstance(subject.store, FakeBatchStore):
        async with pool.transaction() as session:
            bounds = sa.select(DEVICE_SPAN.c.company_id)
            assert set((await session.execute(bounds)).scalars()) >= {stays.company_id}
            assert gone.company_id not in set((await session.execute(bounds)).scalars())
