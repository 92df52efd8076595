"""The audit log between protobuf and the domain."""

import base64
import csv
import io
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from dashtrack.audit.v1 import audit_service_pb2 as pb
from dashtrack.audit.v1.audit_events_pb2 import AuditRecorded
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.auth.domain.audit import PLATFORM, Act, Personal, canonical, spelled_time
from services.auth.domain.audit_heads import AuditKey, Head, HeadKind
from services.auth.domain.audit_lines import write_end, write_head, write_record
from services.auth.ports.audit import AuditQuery, ShownRecord
from services.auth.usecases.audit_reading import HeadPage, RecordPage, Verdict
from services.chassis.fields import encode_time
from services.chassis.page_tokens import (
    PageTokenInvalid,
    decode_page_token,
    encode_page_token,
    fingerprint,
)

_KINDS = {
    HeadKind.HEAD: pb.AuditHead.KIND_HEAD,
    HeadKind.CHECKPOINT: pb.AuditHead.KIND_CHECKPOINT,
}
_COLUMNS = [
    "type",
    "sequence",
    "occur_time",
    "company_id",
    "service",
    "action",
    "outcome",
    "actor_kind",
    "actor_id",
    "actor_role",
    "actor_company_id",
    "resource_type",
    "resource_id",
    "changed_fields",
    "address",
    "user_agent",
    "trace_id",
    "event_id",
    "seal_time",
    "previous_hash",
    "hash",
    "signature",
]
# A spreadsheet takes a cell that begins so for a formula, whoever wrote what is in it.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
NDJSON = "application/x-ndjson"
CSV = "text/csv; charset=utf-8; header=present"


def decode_act(subject: str, payload: bytes) -> tuple[Act, Personal]:
    """Read what a service reports; which one, the subject says: NATS lets each have its own alone.

    Raises:
        ValueError: it is no such event; it stays in the stream for a replica that knows it.
    """
    event = AuditRecorded.FromString(payload)
    act = Act(
        event_id=uuid.UUID(event.event_id),
        company_id=uuid.UUID(event.company_id) if event.company_id else PLATFORM,
        occurred_at=event.occur_time.ToDatetime(tzinfo=UTC),
        service=subject.split(".")[1],
        action=event.action,
        outcome=event.outcome,
        actor_kind=event.actor_kind,
        actor_id=event.actor_id,
        actor_role=event.actor_role,
        actor_company_id=event.actor_company_id,
        resource_type=event.resource_type,
        resource_id=event.resource_id,
        changed_fields=tuple(event.changed_fields),
        trace_id=event.trace_id,
    )
    return act, Personal(event.address, event.user_agent)


def decode_query(request: pb.ListAuditRecordsRequest) -> AuditQuery:
    """Read which records are wanted."""
    return AuditQuery(
        start=decode_moment(request, "start_time"),
        end=decode_moment(request, "end_time"),
        actor_id=request.actor_id,
        action=request.action,
        resource_type=request.resource_type,
        resource_id=request.resource_id,
        outcome=request.outcome,
    )


def decode_moment(request: Message, name: str) -> datetime | None:
    """Read a time that may be left out."""
    if not request.HasField(name):
        return None
    moment: Timestamp = getattr(request, name)
    return moment.ToDatetime(tzinfo=UTC)


def decode_before(request: pb.ListAuditRecordsRequest | pb.ListAuditHeadsRequest) -> int | None:
    """Read before which sequence number a page ends: None for the first.

    Raises:
        PageTokenInvalid: the token is not one of this list with these filters.
    """
    if not request.page_token:
        return None
    position = decode_page_token(request.page_token, fingerprint(request))
    try:
        return int(position["before"])
    except (KeyError, ValueError) as err:
        raise PageTokenInvalid from err


def encode_page(
    page: RecordPage, request: pb.ListAuditRecordsRequest
) -> pb.ListAuditRecordsResponse:
    """Write a page of records."""
    return pb.ListAuditRecordsResponse(
        records=[encode_record(shown) for shown in page.records],
        next_page_token=_next_page(page.next_before, request),
    )


def encode_heads(page: HeadPage, request: pb.ListAuditHeadsRequest) -> pb.ListAuditHeadsResponse:
    """Write a page of heads, and the keys."""
    return pb.ListAuditHeadsResponse(
        heads=[_encode_head(head) for head in page.heads],
        keys=[_encode_key(key) for key in page.keys],
        next_page_token=_next_page(page.next_before, request),
    )


def encode_verdict(verdict: Verdict) -> pb.VerifyAuditLogResponse:
    """Write what verification has found."""
    broken = verdict.broken
    return pb.VerifyAuditLogResponse(
        verified_sequence=verdict.verified_sequence,
        complete=verdict.complete,
        broken_sequence=broken.sequence if broken else 0,
        problem=broken.problem if broken else "",
    )


def encode_record(shown: ShownRecord) -> pb.AuditRecord:
    """Write a record."""
    record, act = shown.record, shown.record.act
    return pb.AuditRecord(
        company_id=_company(act.company_id),
        sequence=record.sequence,
        event_id=str(act.event_id),
        occur_time=encode_time(act.occurred_at),
        seal_time=encode_time(record.sealed_at),
        service=act.service,
        action=act.action,
        outcome=act.outcome,
        actor_kind=act.actor_kind,
        actor_id=act.actor_id,
        actor_role=act.actor_role,
        actor_company_id=act.actor_company_id,
        resource_type=act.resource_type,
        resource_id=act.resource_id,
        changed_fields=act.changed_fields,
        trace_id=act.trace_id,
        address=shown.personal.address if shown.personal else "",
        user_agent=shown.personal.user_agent if shown.personal else "",
        hash=record.hash.hex(),
        previous_hash=record.previous_hash.hex(),
    )


class NdjsonExport:
    """Writes an export as a JSON object a line, all that verification needs."""

    content_type = NDJSON

    def begin(self) -> bytes:
        """Write what comes first: nothing."""
        return b""

    def write(self, item: ShownRecord | Head) -> bytes:
        """Write a record or a head."""
        if isinstance(item, Head):
            return canonical(write_head(item)) + b"\n"
        return canonical(write_record(item.record, item.personal, item.salt)) + b"\n"

    def end(self, records: int) -> bytes:
        """Write that nothing follows."""
        return canonical(write_end(records)) + b"\n"


class CsvExport:
    """Writes an export as a table for people."""

    content_type = CSV

    def begin(self) -> bytes:
        """Write the names of the columns."""
        return _row(_COLUMNS)

    def write(self, item: ShownRecord | Head) -> bytes:
        """Write a record or a head."""
        if isinstance(item, Head):
            line = write_head(item)
            line |= {"type": item.kind.value, "seal_time": spelled_time(item.signed_at)}
        else:
            line = write_record(item.record, item.personal, item.salt)
            line["changed_fields"] = " ".join(item.record.act.changed_fields)
            line |= line.get("personal", {})
        return _row([str(line.get(column, "")) for column in _COLUMNS])

    def end(self, records: int) -> bytes:
        """Write that nothing follows."""
        return _row(["end", str(records)] + [""] * (len(_COLUMNS) - 2))


def encode_chunk(content_type: str, data: bytes) -> HttpBody:
    """Write a piece of an export."""
    return HttpBody(content_type=content_type, data=data)


def _row(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([_harmless(cell) for cell in cells])
    return text.getvalue().encode()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _company(company_id: uuid.UUID) -> str:
    return "" if company_id == PLATFORM else str(company_id)


def _encode_head(head: Head) -> pb.AuditHead:
    return pb.AuditHead(
        company_id=_company(head.company_id),
        kind=_KINDS[head.kind],
        sequence=head.sequence,
        hash=head.hash.hex(),
        sign_time=encode_time(head.signed_at),
        key_id=head.key_id,
        signature=base64.b64encode(head.signature).decode(),
    )


def _encode_key(key: AuditKey) -> pb.AuditKey:
    return pb.AuditKey(
        key_id=key.key_id,
        public_key=base64.b64encode(key.public_key).decode(),
        create_time=encode_time(key.created_at),
    )


def _next_page(before: int | None, request: Message) -> str:
    if before is None:
        return ""
    return encode_page_token({"before": before}, fingerprint(request))
