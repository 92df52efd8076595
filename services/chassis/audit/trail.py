"""Stores the records of what is done, through the outbox, and with the change if there is one."""

import datetime as dt

from dashtrack.audit.v1.audit_events_pb2 import AuditRecorded
from prometheus_client import CollectorRegistry, Counter
from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.audit.entries import OK, Entry, current_entry
from services.chassis.database import Database, tables_written
from services.chassis.errors import DomainError
from services.chassis.fields import encode_time
from services.chassis.ids import new_id
from services.chassis.logs import get_logger
from services.chassis.messaging import EventRecord
from services.chassis.outbox import append_event
from services.chassis.tracing import current_trace_id

_OWN_TABLES = frozenset({"outbox", "inbox"})
_STORED = "audit_stored"
_INTERNAL = "INTERNAL"
_USER_AGENT_LENGTH_MAX = 256

log = get_logger(__name__)


class AuditTrail:
    """Adds the record of an act to the transaction that carries it out.

    It is the database's commit hook: the first transaction within an act that changes something
    stores the record, so there is no change without one, and none of what was rolled back.
    """

    def __init__(self, service: str, database: Database, registry: CollectorRegistry) -> None:
        """Record what this service does."""
        self._service = service
        self._database = database
        self._ignored = _OWN_TABLES
        self._records = Counter(
            "audit_records_total",
            "Records of the audit log, by what came of the calls.",
            ["outcome"],
            registry=registry,
        )
        self._lost = Counter(
            "audit_records_lost_total",
            "Refusals whose record could not be stored.",
            registry=registry,
        )

    def install(self, bookkeeping_tables: frozenset[str]) -> None:
        """Begin; writing to these tables is no change, only its accounting."""
        self._ignored = _OWN_TABLES | bookkeeping_tables
        self._database.commit_hook = self

    async def before_commit(self, session: AsyncSession) -> None:
        """Store the record of the running act if the transaction changes something."""
        entry = current_entry()
        if entry is None or not entry.pending:
            return
        if await tables_written(session) - self._ignored:
            await self._store(session, entry)

    def after_commit(self, session: AsyncSession) -> None:
        """Note that the record is there for good."""
        stored = session.info.pop(_STORED, None)
        if stored is not None:
            entry, outcome = stored
            entry.recorded = outcome
            self._records.labels("ok" if outcome == OK else "refused").inc()

    async def record(self, entry: Entry) -> None:
        """Store a record on its own: of what changed nothing, or was refused.

        Raises:
            Unavailable: the database doesn't answer.
        """
        async with self._database.transaction() as session:
            await self._store(session, entry)

    async def record_refusal(self, entry: Entry, err: Exception) -> None:
        """Store the record of a refusal unless it was; one that can't be stored is only counted."""
        outcome = err.reason if isinstance(err, DomainError) else _INTERNAL
        if entry.recorded == outcome:
            return
        entry.outcome, entry.recorded = outcome, None
        try:
            await self.record(entry)
        except DomainError as failure:
            self._lost.inc()
            log.warning("audit_record_lost", action=entry.action, cause=failure.message)

    async def _store(self, session: AsyncSession, entry: Entry) -> None:
        if session.info.get(_STORED) is not None:
            return
        session.info[_STORED] = entry, entry.outcome
        event_id = new_id()
        payload = _encode(entry, str(event_id), self._service).SerializeToString()
        subject = f"audit.{self._service}.recorded"
        await append_event(session, EventRecord(event_id, subject, payload))


def _encode(entry: Entry, event_id: str, service: str) -> AuditRecorded:
    doer = entry.doer
    return AuditRecorded(
        event_id=event_id,
        company_id=str(entry.log_of or ""),
        occur_time=encode_time(dt.datetime.now(dt.UTC)),
        service=service,
        action=entry.action,
        outcome=entry.outcome,
        actor_kind=doer.kind,
        actor_id=doer.subject,
        actor_role=doer.role or "",
        actor_company_id=str(doer.company_id or ""),
        resource_type=entry.resource_type,
        resource_id=entry.resource_id,
        changed_fields=entry.changed_fields,
        # What a service does because of an event belongs to the trace that the event carries.
        trace_id=entry.trace_id or current_trace_id(),
        address=entry.address,
        user_agent="".join(filter(str.isprintable, entry.user_agent))[:_USER_AGENT_LENGTH_MAX],
    )
