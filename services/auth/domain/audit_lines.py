"""The audit log as lines of JSON: what is exported, and read again by who verifies it."""

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.auth.domain.audit import (
    NOTHING_PERSONAL,
    TEXT_FIELDS,
    Act,
    Personal,
    Record,
    SealedPersonal,
    canonical,
    personal_digest,
    spelled_time,
)
from services.auth.domain.audit_heads import Head, HeadKind


class LineInvalid(Exception):
    """A line is not one of an export."""


# Whatever a file holds, reading it ends in one of these.
_NOT_A_LINE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class RecordLine:
    """A record that was read, and whether the personal data beside it are what it recorded."""

    record: Record
    personal_matches: bool


@dataclass(frozen=True, slots=True)
class EndLine:
    """The last line, which says how many records there are."""

    records: int


def write_record(record: Record, personal: Personal | None, salt: bytes) -> dict[str, Any]:
    """Write what is hashed, the hash, and the personal data if they can still be read."""
    line: dict[str, Any] = {"type": "record", **record.hashed(), "hash": record.hash.hex()}
    if personal is not None:
        line["personal"] = {
            "address": personal.address,
            "salt": salt.hex(),
            "user_agent": personal.user_agent,
        }
    return line


def write_head(head: Head) -> dict[str, Any]:
    """Write what is signed, and the signature."""
    signed: dict[str, Any] = json.loads(head.signed())
    return {"type": "head", **signed, "signature": base64.b64encode(head.signature).decode()}


def write_end(records: int) -> dict[str, Any]:
    """Write that nothing follows."""
    return {"type": "end", "records": records}


def read_line(text: str | bytes) -> RecordLine | Head | EndLine:
    """Read a line of an export.

    Raises:
        LineInvalid: it isn't one.
    """
    try:
        value = json.loads(text, object_pairs_hook=_without_repetition)
        match value["type"]:
            case "record":
                return _read_record(value)
            case "head":
                return _read_head(value)
            case "end":
                return EndLine(int(value["records"]))
    except _NOT_A_LINE as err:
        raise LineInvalid(str(err)) from err
    raise LineInvalid("unknown type")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members: of one that is there twice, people may read the other."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise LineInvalid("a member is there twice")
    return members


def _read_record(value: Mapping[str, Any]) -> RecordLine:
    record = Record(
        act=Act(
            event_id=uuid.UUID(value["event_id"]),
            company_id=uuid.UUID(value["company_id"]),
            occurred_at=_time(value["occur_time"]),
            changed_fields=tuple(value["changed_fields"]),
            **{name: str(value[name]) for name in TEXT_FIELDS},
        ),
        sequence=int(value["sequence"]),
        sealed_at=_time(value["seal_time"]),
        personal=SealedPersonal(
            bytes.fromhex(value["personal_sealed"]), bytes.fromhex(value["personal_digest"])
        ),
        previous_hash=bytes.fromhex(value["previous_hash"]),
        hash=bytes.fromhex(value["hash"]),
    )
    # What the line says has to be all that is hashed: nothing else gets past, and nothing is lost.
    shown = {key: value[key] for key in value if key not in {"type", "hash", "personal"}}
    if canonical(shown) != canonical(record.hashed()):
        raise LineInvalid("the line says more, or something else, than a record does")
    return RecordLine(record, _matches(record, value.get("personal")))


def _matches(record: Record, personal: Any) -> bool:
    if personal is None or record.personal == NOTHING_PERSONAL:
        return personal is None
    return personal_digest(canonical(personal)) == record.personal.digest


def _read_head(value: Mapping[str, Any]) -> Head:
    head = Head(
        company_id=uuid.UUID(value["company_id"]),
        kind=HeadKind(value["kind"]),
        sequence=int(value["sequence"]),
        hash=bytes.fromhex(value["hash"]),
        signed_at=_time(value["sign_time"]),
        key_id=str(value["key_id"]),
        signature=base64.b64decode(value["signature"], validate=True),
    )
    shown = {key: value[key] for key in value if key not in {"type", "signature"}}
    if canonical(shown) != head.signed():
        raise LineInvalid("the line says more, or something else, than a head does")
    return head


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if spelled_time(moment) != text:
        raise LineInvalid("a time is not written as it was hashed")
    return moment
