"""The audit log on PostgreSQL: sealed one by one, signed, and nothing is altered unnoticed."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta

import pytest

from services.auth.domain.audit import Personal
from services.auth.domain.audit_heads import Head, Problem
from services.auth.ports.audit import AuditQuery
from services.auth.usecases.audit_sealing import RECORDS_PER_HEAD_MAX
from services.chassis.database import Database
from tests.fixtures.audit_log import KEPT, PERSONAL, AuditWorld, new_act

ADDRESS_SEALED = "update audit_records set personal_sealed = :value where company_id = :company"


@pytest.fixture
def log(database: Database) -> AuditWorld:
    """An empty audit log."""
    return AuditWorld(database)


async def test_an_untouched_log_is_intact(log: AuditWorld) -> None:
    """Everything that was sealed is covered by a signature."""
    await log.filled(5)

    verdict = await log.verdict()

    assert (verdict.verified_sequence, verdict.complete, verdict.broken) == (5, True, None)
    assert log.recorder.verdicts == [True]
    assert log.recorder.lags_s == [1.0] * 5


async def test_what_is_delivered_twice_is_sealed_once(log: AuditWorld) -> None:
    """The inbox knows an act again."""
    act = new_act(log.company_id)

    for _ in range(2):
        await log.seal(act, PERSONAL)

    assert (await log.verdict()).verified_sequence == 1


async def test_replicas_seal_without_gaps(log: AuditWorld) -> None:
    """Many at once form one chain, of which no number is missing or double."""
    acts = [new_act(log.company_id) for _ in range(40)]

    await asyncio.gather(log.seal_all(acts), log.seal_all(acts))

    verdict = await log.verdict()
    assert (verdict.verified_sequence, verdict.complete) == (40, True)


async def test_logs_of_companies_are_apart(log: AuditWorld) -> None:
    """Each has numbers of its own."""
    await log.filled(2)
    other = uuid.uuid4()
    await log.seal(new_act(other), PERSONAL)

    assert (await log.reading.verify(other)).verified_sequence == 1


async def test_a_log_is_signed_after_so_many_records(
    log: AuditWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy log doesn't wait for the interval."""
    assert RECORDS_PER_HEAD_MAX == 1000
    monkeypatch.setattr("services.auth.usecases.audit_sealing.RECORDS_PER_HEAD_MAX", 3)

    for _ in range(7):
        await log.seal(new_act(log.company_id), PERSONAL)

    page = await log.reading.list_heads(log.company_id, before=None, limit=10)
    assert [head.sequence for head in page.heads] == [6, 3]


async def test_a_log_is_verified_in_parts(log: AuditWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call goes on where the one before ended, and a later part is checked all the same."""
    monkeypatch.setattr("services.auth.usecases.audit_reading.VERIFIED_PER_CALL_MAX", 3)
    await log.filled(5)

    first = await log.reading.verify(log.company_id)
    second = await log.reading.verify(log.company_id, after=first.verified_sequence)

    assert (first.verified_sequence, first.complete) == (3, False)
    assert (second.verified_sequence, second.complete, second.broken) == (5, True, None)


async def test_records_are_listed_by_what_is_asked_for(log: AuditWorld) -> None:
    """Filters are exact, the newest comes first, and pages go on behind a number."""
    await log.filled(3)
    await log.filled(2, outcome="USER_NOT_FOUND")

    refused = AuditQuery(outcome="USER_NOT_FOUND")
    page = await log.reading.list_records(log.company_id, refused, before=None, limit=1)
    rest = await log.reading.list_records(
        log.company_id, refused, before=page.next_before, limit=10
    )

    found = [shown.record.sequence for shown in (*page.records, *rest.records)]
    assert found == [5, 4]
    assert rest.next_before is None
    assert page.records[0].personal == PERSONAL


async def test_retention_removes_the_oldest_and_the_rest_stays_proven(log: AuditWorld) -> None:
    """A signed checkpoint stands for what is gone."""
    await log.filled(3)
    log.now += KEPT + timedelta(days=2)
    await log.filled(2)

    due = await log.prune.due()
    removed = [await log.prune.prune(log.company_id), await log.prune.prune(log.company_id)]

    assert due == [log.company_id]
    assert removed == [3, 0]
    verdict = await log.verdict()
    assert (verdict.verified_sequence, verdict.complete, verdict.broken) == (5, True, None)
    exported = await log.file_verdict(await log.export())
    assert exported.proven
    assert exported.first_sequence == 4
    assert await log.prune.due() == []


async def test_removing_more_than_retention_did_is_found(log: AuditWorld) -> None:
    """Nobody but the key can say that something was pruned."""
    await log.filled(3)
    log.now += KEPT + timedelta(days=2)
    await log.filled(3)
    await log.prune.prune(log.company_id)
    await log.tamper("delete from audit_records where company_id = :company and sequence = 4")
    await log.tamper("update audit_heads set sequence = 4 where kind = 'checkpoint'")

    broken = (await log.verdict()).broken

    assert broken is not None
    assert broken.problem is Problem.SIGNATURE


async def test_erasing_destroys_the_key_and_not_the_chain(log: AuditWorld) -> None:
    """Addresses can't be read any more, in old records and late ones, and all stays proven."""
    await log.filled(2)

    erased = [await log.erase(log.company_id), await log.erase(log.company_id)]

    assert erased == [True, False]
    await log.filled(1)
    verdict = await log.verdict()
    assert (verdict.verified_sequence, verdict.complete, verdict.broken) == (4, True, None)
    page = await log.reading.list_records(log.company_id, AuditQuery(), before=None, limit=10)
    assert [shown.personal for shown in page.records] == [None] * 4
    assert page.records[1].record.act.action == "auth.background/EraseAuditPersonalData"
    lines = await log.export()
    assert not any(PERSONAL.address.encode() in line for line in lines)
    assert (await log.file_verdict(lines)).proven


async def test_sealed_data_are_covered_after_the_key_is_gone(log: AuditWorld) -> None:
    """The hash covers what was encrypted, so nothing needs to be decrypted to prove it."""
    await log.filled(2)
    await log.erase(log.company_id)
    await log.tamper(ADDRESS_SEALED, value=b"")

    broken = (await log.verdict()).broken

    assert broken is not None
    assert broken.problem is Problem.ALTERED


async def test_personal_data_are_not_in_the_database_in_the_clear(log: AuditWorld) -> None:
    """Equal addresses look different in every record."""
    for _ in range(2):
        await log.seal(new_act(log.company_id), Personal("198.51.100.9", ""))

    async with log.store.transaction() as tx:
        shown = await tx.read(log.company_id, 0, 10)
    digests = {item.record.personal.digest for item in shown}
    assert len(digests) == 2
    assert not any(b"198.51" in item.record.personal.sealed for item in shown)


async def test_a_new_key_signs_and_the_old_one_still_verifies(log: AuditWorld) -> None:
    """Auditors find every key that ever signed."""
    await log.filled(2)
    log.now += timedelta(seconds=1)
    key = await log.signer.rotate()
    await log.filled(2)

    page = await log.reading.list_heads(log.company_id, before=None, limit=10)

    heads: Sequence[Head] = page.heads
    assert heads[0].key_id == key.key_id != heads[1].key_id
    assert {head.key_id for head in heads} == {key.key_id for key in page.keys}
    assert (await log.verdict()).complete
