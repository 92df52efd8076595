"""The loops that auth runs by itself."""

import asyncio
import uuid
from dataclasses import dataclass

from services.auth.adapters.key_ring import KeyRing
from services.auth.adapters.recording import PrometheusRecorder
from services.auth.ports.mails import MailUndeliverable
from services.auth.usecases.audit_sealing import HeadSigner, PruneAudit
from services.auth.usecases.companies import EndClosedSessions, EraseCompanies
from services.auth.usecases.email_changes import CarryOutEmailChanges
from services.auth.usecases.resets import AnswerResetRequests
from services.auth.usecases.upkeep import CountSessions, Prune, RotateKeys, SendMail
from services.chassis.audit.entries import acting, note_resource
from services.chassis.errors import Unavailable
from services.chassis.logs import get_logger
from services.chassis.workers import Worker, pause

log = get_logger(__name__)


class MailCarrier:
    """Writes and sends mail as soon as it is asked for here, and soon after others left it."""

    def __init__(
        self, answer_resets: AnswerResetRequests, send_mail: SendMail, poll_interval_s: float
    ) -> None:
        self._answer_resets = answer_resets
        self._send_mail = send_mail
        self._poll_interval_s = poll_interval_s
        self._woken = asyncio.Event()
        self.worker = Worker("mail", self._run)

    def wake(self) -> None:
        """Look for mail now."""
        self._woken.set()

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._woken.clear()
            try:
                while await self._answer_resets.answer_next() or await self._send_mail.send_next():
                    if stopping.is_set():
                        return
            except MailUndeliverable as err:
                log.warning("mail_undeliverable", error=str(err))
                continue
            except OSError as err:
                log.warning("mail_failed", error=str(err))
            await pause(stopping, self._poll_interval_s, woken=self._woken)


class CompanySweep:
    """Carries out what follows from a company's closing and deletion, bit by bit."""

    def __init__(
        self, end_sessions: EndClosedSessions, erase: EraseCompanies, poll_interval_s: float
    ) -> None:
        self._end_sessions = end_sessions
        self._erase = erase
        self._poll_interval_s = poll_interval_s
        self._woken = asyncio.Event()
        self.worker = Worker("companies", self._run)

    def wake(self) -> None:
        """Look for something to do now."""
        self._woken.set()

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._woken.clear()
            while await self._sweep():
                if stopping.is_set():
                    return
            await pause(stopping, self._poll_interval_s, woken=self._woken)

    async def _sweep(self) -> bool:
        with acting("auth", "EndClosedSessions"):
            if await self._end_sessions.end_some():
                return True
        with acting("auth", "EraseCompany"):
            return await self._erase.erase_some()


class AddressCarrier:
    """Tells users of addresses that were proven, as soon as possible and until it has heard."""

    def __init__(self, carry_out: CarryOutEmailChanges, poll_interval_s: float) -> None:
        self._carry_out = carry_out
        self._poll_interval_s = poll_interval_s
        self._woken = asyncio.Event()
        self.worker = Worker("addresses", self._run)

    def wake(self) -> None:
        """Look for something to tell now."""
        self._woken.set()

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._woken.clear()
            try:
                while not stopping.is_set() and await self._carry_out.carry_out_next():
                    pass
            except Unavailable as err:
                log.warning("address_change_waits", error=err.message)
            await pause(stopping, self._poll_interval_s, woken=self._woken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """Keeps keys current, prunes, and counts sessions."""

    rotate_keys: RotateKeys
    key_ring: KeyRing
    prune: Prune
    count_sessions: CountSessions
    recorder: PrometheusRecorder
    interval_s: float

    async def run(self, stopping: asyncio.Event) -> None:
        """Do so until stopped: the body of a worker."""
        while not stopping.is_set():
            # Reading the keys comes first: nothing else that fails may keep a new key from
            # being known here by the time it signs.
            await self.key_ring.load()
            with acting("auth", "RotateSigningKeys"):
                await self.rotate_keys.rotate_if_due()
            self.recorder.counted(await self.count_sessions())
            await self.prune()
            await pause(stopping, self.interval_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditUpkeep:
    """Signs logs that have grown, and removes what is too old from them."""

    signer: HeadSigner
    prune: PruneAudit
    interval_s: float

    async def run(self, stopping: asyncio.Event) -> None:
        """Do so until stopped: the body of a worker."""
        while not stopping.is_set():
            while not stopping.is_set() and (heads := await self.signer.sign_due()):
                for head in heads:
                    # Whoever keeps logs elsewhere keeps heads elsewhere.
                    log.info(
                        "audit_head_signed",
                        company_id=str(head.company_id),
                        sequence=head.sequence,
                        hash=head.hash.hex(),
                        key_id=head.key_id,
                    )
            for company_id in await self.prune.due():
                await self._prune(company_id, stopping)
            await pause(stopping, self.interval_s)

    async def _prune(self, company_id: uuid.UUID, stopping: asyncio.Event) -> None:
        removed = 1
        while removed and not stopping.is_set():
            with acting("auth", "PruneAuditLog"):
                note_resource("company", company_id, company_id)
                removed = await self.prune.prune(company_id)
