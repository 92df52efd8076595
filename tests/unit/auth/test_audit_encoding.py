"""How records are written to be hashed, byte for byte."""

import hashlib
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from dashtrack.audit.v1.audit_events_pb2 import AuditRecorded
from hypothesis import given
from hypothesis import strategies as st

from services.auth.codec.audit import CsvExport, NdjsonExport, decode_act
from services.auth.domain.audit import (
    GENESIS_HASH,
    Chain,
    Personal,
    Record,
    SealedPersonal,
    canonical,
    personal_digest,
    personal_plain,
    spelled_time,
)
from services.auth.domain.audit_lines import LineInvalid, RecordLine, read_line
from services.auth.ports.audit import ShownRecord
from tests.fixtures.audit_log import new_act

COMPANY = uuid.UUID("01980f5a-7d1c-7a0e-9b1f-3f2f6c1f0a10")
NOW = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
EMPTY_CHAIN = Chain(COMPANY, 0, GENESIS_HASH, 0, 0, None)
SALT = bytes(16)


def sealed_record(address: str = "203.0.113.7", agent: str = "curl", **facts: Any) -> ShownRecord:
    """Make the first record of a chain, as it is shown."""
    personal = Personal(address, agent)
    digest = personal_digest(personal_plain(personal, SALT))
    act = new_act(COMPANY, **facts)
    record = EMPTY_CHAIN.follow(act, SealedPersonal(b"sealed", digest), NOW)
    return ShownRecord(record, personal, SALT, personal_matches=True)


def test_the_encoding_is_what_the_guide_says() -> None:
    """These bytes never change: whoever kept an export recomputes them in years."""
    record = sealed_record(
        event_id=uuid.UUID("01980f5a-7d1c-7a0e-9b1f-000000000001"),
        actor_id="01980f5a-7d1c-7a0e-9b1f-000000000002",
        resource_id="01980f5a-7d1c-7a0e-9b1f-000000000003",
    ).record

    assert canonical(record.hashed()).decode() == (
        '{"action":"users.UserService/UpdateUser",'
        '"actor_company_id":"01980f5a-7d1c-7a0e-9b1f-3f2f6c1f0a10",'
        '"actor_id":"01980f5a-7d1c-7a0e-9b1f-000000000002","actor_kind":"user",'
        '"actor_role":"manager","changed_fields":["display_name","role"],'
        '"company_id":"01980f5a-7d1c-7a0e-9b1f-3f2f6c1f0a10",'
        '"event_id":"01980f5a-7d1c-7a0e-9b1f-000000000001",'
        '"occur_time":"2026-03-01T12:00:00.000000Z","outcome":"OK",'
        '"personal_digest":"89bdb3d99cb62c42d6a69d387b761fd9db87744457b32906a80017bf47fe3083",'
        '"personal_sealed":"7365616c6564",'
        '"previous_hash":"0000000000000000000000000000000000000000000000000000000000000000",'
        '"resource_id":"01980f5a-7d1c-7a0e-9b1f-000000000003","resource_type":"user",'
        '"seal_time":"2026-03-01T12:00:01.000000Z","sequence":1,"service":"users",'
        '"trace_id":"0af7651916cd43dd8448eb211c80319c","version":1}'
    )
    assert record.hash.hex() == hashlib.sha256(canonical(record.hashed())).hexdigest()


TEXTS = st.text(max_size=300)


@given(action=TEXTS, outcome=TEXTS, fields=st.lists(TEXTS, max_size=5), agent=TEXTS)
def test_any_record_survives_the_way_to_an_auditor(
    action: str, outcome: str, fields: list[str], agent: str
) -> None:
    """Written, read and hashed again it is the same, whatever strings were in it."""
    shown = sealed_record(
        agent=agent.encode("utf-8", "ignore").decode(),
        action=action,
        outcome=outcome,
        changed_fields=fields,
    )

    line = read_line(NdjsonExport().write(shown))

    assert line == RecordLine(shown.record, personal_matches=True)
    assert shown.record.computed_hash() == shown.record.hash
    assert canonical(shown.record.hashed()).isascii()


@given(TEXTS, TEXTS)
def test_different_acts_have_different_encodings(first: str, second: str) -> None:
    """Nothing can be moved from one field into the next."""
    one = replace(sealed_record().record.act, action=first, outcome=second)
    other = replace(one, action=first + second, outcome="")
    same = (one.action, one.outcome) == (other.action, other.outcome)

    encoded = [_hashed(act) for act in (one, other)]

    assert (encoded[0] == encoded[1]) is same


def _hashed(act: Any) -> bytes:
    record: Record = replace(sealed_record().record, act=act)
    return record.computed_hash()


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_are_written_in_one_way(moment: datetime) -> None:
    """Always UTC, always six digits, whatever zone they came in."""
    if moment.year < 1000 or moment.year > 9998:
        return
    abroad = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert spelled_time(abroad) == spelled_time(moment)
    assert datetime.fromisoformat(spelled_time(moment)) == moment


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'{"type":"record"}',
        b'{"type":"other"}',
        b'{"type":"end"}',
        b'{"type":"end","records":Infinity}',
        b'{"type":"record","event_id":1}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_export_is_told_so(line: bytes) -> None:
    """Nothing else than lines of an export is read."""
    with pytest.raises(LineInvalid):
        read_line(line)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_table_is_a_formula(start: str) -> None:
    """What a program says of itself is not run by a spreadsheet."""
    row = CsvExport().write(sealed_record(agent=f"{start}cmd|' /C calc'!A0")).decode()

    assert f"'{start}cmd" in row


def test_who_published_a_report_says_who_did_it() -> None:
    """NATS lets a service speak for itself alone, whatever it says of itself."""
    reported = AuditRecorded(event_id=str(uuid.uuid4()), service="auth", action="auth.X/Y")

    act, _ = decode_act("audit.telemetry.recorded", reported.SerializeToString())

    assert act.service == "telemetry"


def test_a_table_says_where_it_ends() -> None:
    """The first row has the columns, the last one says so and how many there were."""
    export = CsvExport()

    assert export.begin().startswith(b"type,sequence,occur_time,company_id")
    assert export.end(7).startswith(b"end,7,")
    assert json.loads(NdjsonExport().end(7)) == {"type": "end", "records": 7}
