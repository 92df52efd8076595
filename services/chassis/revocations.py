"""What was revoked, pulled from auth every few seconds and at once when NATS hints at news."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.chassis.errors import Unavailable
from services.chassis.identity import Caller
from services.chassis.logs import get_logger
from services.chassis.workers import pause

HINT_SUBJECT = "dashtrack.revoked"

_PULL_INTERVAL_S = 5.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Revocation:
    """Ends the tokens of one session, or those that a subject was issued until a moment."""

    session_id: uuid.UUID | None
    subject: str | None
    revoked_at_s: float
    expires_at_s: float


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
        self._subjects: dict[str, tuple[float, float]] = {}
        self._hinted = asyncio.Event()

    def covers(self, caller: Caller, issued_at_s: float) -> bool:
        """Tell whether a caller's token was revoked."""
        if caller.session_id in self._sessions:
            return True
        subject = self._subjects.get(caller.subject)
        return subject is not None and issued_at_s <= subject[0]

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
            known_s, known_expiry_s = self._subjects.get(revocation.subject, (0.0, 0.0))
            self._subjects[revocation.subject] = (
                max(known_s, revocation.revoked_at_s),
                max(known_expiry_s, revocation.expires_at_s),
            )

    def _forget_expired(self) -> None:
        now_s = time.time()
        self._sessions = {key: end_s for key, end_s in self._sessions.items() if end_s > now_s}
        self._subjects = {key: entry for key, entry in self._subjects.items() if entry[1] > now_s}
