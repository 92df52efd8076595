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
from services.chassis.workers import Chore, pause

log = get_logger(__name__)


def mail_carrier(
    answer_resets: AnswerResetRequests, send_mail: SendMail, poll_interval_s: float
) -> Chore:
    """Make the chore that writes and sends mail, what other replicas have left of it too."""

    async def carry(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                if not (await answer_resets.answer_next() or await send_mail.send_next()):
                    return
            except MailUndeliverable as err:
                log.warning("mail_undeliverable", error=str(err))
            except OSError as err:
                log.warning("mail_failed", error=str(err))
                return

    return Chore("mail", carry, poll_interval_s)


def company_sweep(
    end_sessions: EndClosedSessions, erase: EraseCompanies, poll_interval_s: float
) -> Chore:
    """Make the chore that does what follows from companies' closing and deletion, bit by bit."""

    async def take_step() -> bool:
        with acting("auth", "EndClosedSessions"):
            if await end_sessions.end_some():
                return True
        with acting("auth", "EraseCompany"):
            return await erase.erase_some()

    async def sweep(stopping: asyncio.Event) -> None:
        while not stopping.is_set() and await take_step():
            pass

    return Chore("companies", sweep, poll_interval_s)


def address_carrier(carry_out: CarryOutEmailChanges, poll_interval_s: float) -> Chore:
    """Make the chore that tells users of addresses that were proven, until it has heard."""

    async def carry(stopping: asyncio.Event) -> None:
        try:
            while not stopping.is_set() and await carry_out.carry_out_next():
                pass
        except Unavailable as err:
            log.warning("address_change_waits", error=err.message)

    return Chore("addresses", carry, poll_interval_s)


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
