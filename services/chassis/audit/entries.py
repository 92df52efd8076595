"""What is being done right now, and what a use case adds that the request doesn't tell.

Standard library only, so that use cases may say what they know.
"""

import contextlib
import contextvars
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from services.chassis.identity import ANONYMOUS, Caller, CallerKind, Role

OK = "OK"
"""The outcome of what was not refused."""

_FIELDS_MAX = 64


@dataclass(slots=True)
class Entry:
    """One act, from its beginning until its record is stored."""

    action: str
    actor: Caller = ANONYMOUS
    trace_id: str = ""
    address: str = field(default="", repr=False)
    user_agent: str = field(default="", repr=False)
    resource_type: str = ""
    resource_id: str = ""
    changed_fields: Sequence[str] = ()
    company_id: uuid.UUID | None = None
    """The company that it is about, if somebody said so who has looked."""
    asked_company_id: uuid.UUID | None = None
    """The company that the request names, which may be anybody's."""
    outcome: str = OK
    """What the transaction that stores the record stores as the outcome."""
    claimed: Caller | None = None
    """Who a caller without a token turns out to be, if the outcome is OK."""
    subject_known: bool = False
    """Whether it is about something that exists, though the caller has no token."""
    recorded: str | None = None
    """The outcome that was stored, None before."""
    closed: bool = False
    """Whether the act is over; what runs on in its context is not part of it."""

    @property
    def doer(self) -> Caller:
        """Who did it: whoever only claimed to be somebody was nobody, unless it came out well."""
        return self.claimed if self.claimed is not None and self.outcome == OK else self.actor

    @property
    def pending(self) -> bool:
        """Whether the next change that commits is to be recorded."""
        return self.recorded is None and not self.closed

    @property
    def log_of(self) -> uuid.UUID | None:
        """The company in whose log the record belongs; None for the platform's.

        A member can't write in any log but their own company's, whatever they name.
        """
        if self.actor.company_id is not None:
            return self.actor.company_id
        if self.company_id is not None:
            return self.company_id
        # Operators may name a company that there never was, until it turns out that there is;
        # services name those that they know.
        operators = self.actor.kind in {CallerKind.USER, CallerKind.API_KEY}
        trusted = self.actor.kind is CallerKind.SERVICE or (operators and self.outcome == OK)
        return self.asked_company_id if trusted else None


_entry: contextvars.ContextVar[Entry | None] = contextvars.ContextVar("audit_entry", default=None)


def current_entry() -> Entry | None:
    """Return what is being done; None if it leaves no record."""
    return _entry.get()


def begin(entry: Entry) -> None:
    """Declare what is being done for the rest of the task."""
    _entry.set(entry)


@contextlib.contextmanager
def acting(service: str, what: str) -> Iterator[Entry]:
    """Run a block as something that the service does by itself, for nobody in particular.

    Its first transaction that changes something stores a record; without a change there is none.
    """
    actor = Caller(CallerKind.SERVICE, service, None, None, None, 0)
    entry = Entry(f"{service}.background/{what}", actor)
    token = _entry.set(entry)
    try:
        yield entry
    finally:
        entry.closed = True
        _entry.reset(token)


def note_resource(
    resource_type: str, resource_id: uuid.UUID, company_id: uuid.UUID | None = None
) -> None:
    """Say what the call is about, and whose it is: once that is known, and before the commit."""
    entry = _entry.get()
    if entry is None:
        return
    entry.subject_known = True
    entry.resource_type, entry.resource_id = resource_type, str(resource_id)
    if company_id is not None:
        entry.company_id = company_id


def note_account(
    user_id: uuid.UUID | None, role: Role | None = None, company_id: uuid.UUID | None = None
) -> None:
    """Say whose account a caller without a token means; None for one that doesn't exist.

    A refusal is recorded only if this was said: what strangers try on nobody is noise.
    """
    entry = _entry.get()
    if entry is None or entry.actor.kind is not CallerKind.ANONYMOUS:
        return
    entry.subject_known = True
    if user_id is not None:
        entry.resource_type, entry.resource_id = "user", str(user_id)
        entry.company_id = company_id
        entry.claimed = Caller(CallerKind.USER, str(user_id), role, company_id, None, 0)


def note_api_key(key_id: uuid.UUID, role: Role, company_id: uuid.UUID | None) -> None:
    """Say which API key a machine without a token shows, whether it is good or not."""
    entry = _entry.get()
    if entry is None or entry.actor.kind is not CallerKind.ANONYMOUS:
        return
    note_resource("api_key", key_id, company_id)
    entry.claimed = Caller(CallerKind.API_KEY, str(key_id), role, company_id, None, 0)


def note_refusal(reason: str) -> None:
    """Say that what commits now comes with a refusal, which is raised afterwards."""
    entry = _entry.get()
    if entry is not None:
        entry.outcome = reason


def note_changed(fields: Sequence[str]) -> None:
    """Name the fields that change, where the request doesn't; never their values."""
    entry = _entry.get()
    if entry is not None:
        entry.changed_fields = tuple(fields[:_FIELDS_MAX])
