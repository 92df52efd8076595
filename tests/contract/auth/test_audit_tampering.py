"""The audit log on PostgreSQL and in files: whatever is altered is found, and named."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.auth.domain.audit_heads import Break, Problem
from services.auth.storage.audit_tables import AUDIT_RECORDS
from services.chassis.database import Database
from tests.fixtures.audit_log import AuditWorld


@pytest.fixture
def log(database: Database) -> AuditWorld:
    """An empty audit log."""
    return AuditWorld(database)


COLUMNS = {
    "event_id": "gen_random_uuid()",
    "occurred_at": "occurred_at + interval '1 microsecond'",
    "sealed_at": "sealed_at + interval '1 microsecond'",
    "service": "'auth'",
    "action": "'users.UserService/GetUser'",
    "outcome": "'PERMISSION_DENIED'",
    "actor_kind": "'device'",
    "actor_id": "'somebody'",
    "actor_role": "'driver'",
    "actor_company_id": "''",
    "resource_type": "'vehicle'",
    "resource_id": "'something'",
    "changed_fields": "array['role']",
    "trace_id": "''",
    "personal_sealed": "personal_sealed || '\\x00'::bytea",
    "personal_digest": "sha256(personal_digest)",
    "previous_hash": "sha256(previous_hash)",
    "hash": "sha256(hash)",
}


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_changed_column_is_found(log: AuditWorld, column: str) -> None:
    """Whatever is changed in a record, the record is named."""
    await log.filled(4)
    await log.tamper(
        f"update audit_records set {column} = {COLUMNS[column]} "  # noqa: S608 - no input
        "where company_id = :company and sequence = 3"
    )

    verdict = await log.verdict()

    assert verdict.broken is not None
    assert verdict.broken.sequence == 3
    assert not verdict.complete
    assert log.recorder.verdicts == [False]


async def test_every_column_is_tried(log: AuditWorld) -> None:
    """A column that is added later has to be hashed, and tampered with above."""
    assert {column.name for column in AUDIT_RECORDS.columns} == {
        *COLUMNS,
        "company_id",
        "sequence",
    }


RECHAINED = """
    update audit_chains set sequence = 3, hash = (
        select hash from audit_records where company_id = :company and sequence = 3
    ) where company_id = :company
"""
SHAPES = {
    "a record deleted": (
        ["delete from audit_records where company_id = :company and sequence = 2"],
        (2, Problem.MISSING),
    ),
    "the first deleted": (
        ["delete from audit_records where company_id = :company and sequence = 1"],
        (1, Problem.MISSING),
    ),
    "a record inserted": (
        [
            (
                "update audit_records set sequence = sequence + 10 "
                "where company_id = :company and sequence > 2"
            ),
            (
                "insert into audit_records select (jsonb_populate_record(audit_records, "
                "jsonb_build_object('sequence', 3))).* from audit_records "
                "where company_id = :company and sequence = 2"
            ),
        ],
        (3, Problem.UNCHAINED),
    ),
    "two swapped": (
        [
            (
                "update audit_records set sequence = case sequence when 2 then 13 else 12 end "
                "where company_id = :company and sequence in (2, 3)"
            ),
            (
                "update audit_records set sequence = sequence - 10 "
                "where company_id = :company and sequence > 10"
            ),
        ],
        (2, Problem.UNCHAINED),
    ),
    "the end cut off": (
        ["delete from audit_records where company_id = :company and sequence > 3"],
        (4, Problem.TRUNCATED),
    ),
    "the end cut off, and the counter set back": (
        ["delete from audit_records where company_id = :company and sequence > 3", RECHAINED],
        (4, Problem.TRUNCATED),
    ),
    "a head of another hash": (
        ["update audit_heads set hash = sha256(hash) where company_id = :company"],
        (5, Problem.SIGNATURE),
    ),
    "a head of another signature": (
        ["update audit_heads set signature = sha512(signature) where company_id = :company"],
        (5, Problem.SIGNATURE),
    ),
    "the head deleted": (
        ["delete from audit_heads where company_id = :company"],
        (5, Problem.SIGNATURE),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_changed_shape_is_found(log: AuditWorld, shape: str) -> None:
    """Records that are gone, added, moved or cut off, and signatures that don't fit, are named."""
    await log.filled(5)
    statements, expected = SHAPES[shape]
    for statement in statements:
        await log.tamper(statement)

    broken = (await log.verdict()).broken

    assert broken is not None
    assert (broken.sequence, broken.problem) == expected


async def test_an_export_is_verified_without_the_server(log: AuditWorld) -> None:
    """A file and a public key prove every record of it."""
    await log.filled(3)
    await log.filled(2)

    verdict = await log.file_verdict(await log.export())

    assert verdict.proven
    assert (verdict.first_sequence, verdict.verified_sequence) == (1, 5)


async def test_an_export_of_another_key_proves_nothing(log: AuditWorld) -> None:
    """Whoever signs with a key of their own is not believed."""
    await log.filled(2)
    stranger, _ = log.signing.generate(log.now)

    verdict = await log.file_verdict(await log.export(), keys=[stranger])

    assert verdict.broken is not None
    assert verdict.broken.problem is Problem.SIGNATURE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"outcome":"OK"', b'"outcome":"NO"'),
        (b'"203.0.113.7"', b'"203.0.113.8"'),
        (b'"changed_fields":["display_name","role"]', b'"changed_fields":["role"]'),
        (b'"version":1', b'"version":2'),
        (b'"sequence":2', b'"sequence":3'),
        (b'{"action"', b'{"added":1,"action"'),
    ],
)
async def test_an_altered_line_is_found(log: AuditWorld, old: bytes, new: bytes) -> None:
    """Anything that a line says is proven, or refused."""
    await log.filled(3)
    lines = await log.export()
    assert old in lines[1]
    lines[1] = lines[1].replace(old, new)

    assert not (await log.file_verdict(lines)).proven


async def test_lines_that_are_missing_doubled_or_moved_are_found(log: AuditWorld) -> None:
    """An export is proven as a whole, its end included."""
    await log.filled(4)
    lines = await log.export()
    broken = [lines[:-1], lines[1:] and lines[:1] + lines[2:], [*lines, lines[0]]]
    broken += [[lines[1], lines[0], *lines[2:]], [*lines[:4], lines[-1]], [b"{}\n"], []]

    for changed in broken:
        assert not (await log.file_verdict(changed)).proven


async def test_a_stretch_of_the_log_is_proven_by_the_head_behind_it(log: AuditWorld) -> None:
    """An export that begins later needs nothing of what came before."""
    await log.filled(3)
    await log.filled(2, occurred_at=log.now + timedelta(days=1))
    lines = await log.export(start=log.now + timedelta(hours=1))

    verdict = await log.file_verdict(lines)

    assert verdict.proven
    assert (verdict.first_sequence, verdict.verified_sequence) == (4, 5)


OWN_KEY = """
    insert into audit_keys values (:key_id, :public_key, :sealed, now() - interval '1 year')
"""
FORGED = "update audit_heads set key_id = :key_id, signature = :signature"


async def test_a_key_that_somebody_puts_into_the_database_vouches_for_nothing(
    log: AuditWorld,
) -> None:
    """Whoever has the database alone can't sign: neither under a new name nor under an old one."""
    await log.filled(2)
    forger, private_key = log.signing.generate(log.now)
    (head,) = (await log.reading.list_heads(log.company_id, before=None, limit=10)).heads
    forged = replace(head, key_id=forger.key_id).with_signature(
        lambda payload: log.signing.sign(private_key, payload)
    )
    theirs = {"key_id": forger.key_id, "public_key": forger.public_key}
    await log.tamper(OWN_KEY, sealed=b"\x01" + bytes(60), **theirs)
    await log.tamper(FORGED, key_id=forger.key_id, signature=forged.signature)

    added = (await log.verdict()).broken
    await log.tamper("delete from audit_keys where key_id = :key_id", key_id=forger.key_id)
    await log.tamper("update audit_keys set public_key = :key", key=forger.public_key)
    replaced = (await log.verdict()).broken
    believed = await log.reading.verify(log.company_id, known=[forger])

    assert added == replaced == Break(2, Problem.SIGNATURE)
    assert believed.complete


async def test_a_key_to_personal_data_that_is_gone_was_destroyed_or_is_missed(
    log: AuditWorld,
) -> None:
    """Only an erasure takes it away."""
    await log.filled(2)
    await log.tamper("update audit_chains set sealed_key = null")

    assert (await log.verdict()).broken == Break(1, Problem.PERSONAL)


async def test_a_member_that_is_there_twice_is_refused(log: AuditWorld) -> None:
    """People may read the one that was not proven."""
    await log.filled(1)
    lines = await log.export()
    lines[0] = lines[0].replace(b'{"action"', b'{"action":"nothing","action"')

    assert not (await log.file_verdict(lines)).proven
