"""What was revoked, pulled from auth every few seconds and at once when NATS hints at news."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.chassis.errors import Unavailable
from services.chassis.identity import Caller
from services.chassis.logs import get_logger
from services.chassis.workers import pause

HINT_SUBJECT = "dashtrack.revoked"

# What is revoked stops working within 5 s, the promise of the product, even if every hint is lost.
_PULL_INTERVAL_S = 2.0

log = get_logger(__name__)

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Revocation:
    """Ends the tokens of one session, or what a subject or a company was issued until a moment."""

    session_id: uuid.UUID | None
    subject: str | None
    revoked_at_s: float
    expires_at_s: float
    company_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class RevocationPage:
    """A part of the list, and where it goes on."""

    revocations: Sequence[Revocation]
    next_position: str
    more: bool


RevocationSource = Callable[[str], Awaitable[RevocationPage]]
"""Lists revocations after a position; the empty position lists all that still matter."""


class RevocationList:
    """The revocations that still matter, in memory."""

    def __init__(self, source: RevocationSource) -> None:
        """Pull from this source."""
        self._source = source
        self._position = ""
        self._sessions: dict[uuid.UUID, float] = {}
        self._subjects = _IssuedUntil[str]()
        self._companies = _IssuedUntil[uuid.UUID]()
        self._hinted = asyncio.Event()

    def covers(self, caller: Caller, issued_at_s: float) -> bool:
        """Tell whether a caller's token was revoked."""
        if caller.session_id in self._sessions:
            return True
        if self._subjects.cover(caller.subject, issued_at_s):
            return True
        company_id = caller.company_id
        return company_id is not None and self._companies.cover(company_id, issued_at_s)

    async def on_hint(self, _: str, __: bytes) -> None:
        """Pull soon: the handler of `HINT_SUBJECT`."""
        self._hinted.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep the list current: the body of a worker."""
        away = False
        while not stopping.is_set():
            try:
                await self.pull()
                away = False
            except Unavailable as err:
                if not away:
                    log.warning("revocations_unavailable", error=err.message)
                away = True
            await pause(stopping, _PULL_INTERVAL_S, woken=self._hinted)
            self._hinted.clear()

    async def pull(self) -> None:
        """Take in what was revoked since the last pull."""
        more = True
        while more:
            page = await self._source(self._position)
            for revocation in page.revocations:
                self._add(revocation)
            more = page.more and page.next_position != self._position
            self._position = page.next_position or self._position
        self._forget_expired()

    def _add(self, revocation: Revocation) -> None:
        if revocation.session_id is not None:
            self._sessions[revocation.session_id] = revocation.expires_at_s
        if revocation.subject is not None:
            self._subjects.add(revocation.subject, revocation)
        if revocation.company_id is not None:
            self._companies.add(revocation.company_id, revocation)

    def _forget_expired(self) -> None:
        now_s = time.time()
        self._sessions = {key: end_s for key, end_s in self._sessions.items() if end_s > now_s}
        self._subjects.forget_expired(now_s)
        self._companies.forget_expired(now_s)


class _IssuedUntil(Generic[K]):
    """Until which moment what was issued is revoked, by whom it was issued to."""

    def __init__(self) -> None:
        self._entries: dict[K, tuple[float, float]] = {}

    def cover(self, key: K, issued_at_s: float) -> bool:
        entry = self._entries.get(key)
        return entry is not None and issued_at_s <= entry[0]

    def add(self, key: K, revocation: Revocation) -> None:
        known_s, known_expiry_s = self._entries.get(key, (0.0, 0.0))
        self._entries[key] = (
            max(known_s, revocation.revoked_at_s),
            max(known_expiry_s, revocation.expires_at_s),
        )

    def forget_expired(self, now_s: float) -> None:
        self._entries = {key: entry for key, entry in self._entries.items() if entry[1] > now_s}
