"""Chaining what services report, and signing what was chained."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.domain.audit import PLATFORM, Act, Chain, Personal
from services.auth.domain.audit_heads import AuditKey, Head, unsigned_checkpoint, unsigned_head
from services.auth.ports import Clock
from services.auth.ports.audit import AuditRecorder, AuditStore, AuditTransaction, HeadSigning

CONSUMER = "auth-audit"
RECORDS_PER_HEAD_MAX = 1000
"""A chain is signed at the latest when so many records have come since it was."""

_KEY_WORK = "audit signing key"
_CHAINS_PER_ROUND = 100
_PRUNED_PER_ROUND_MAX = 5000
# A chain is pruned once a day at most, not record by record as each of them gets too old.
_PRUNING_SLACK = timedelta(days=1)
_SERVICE = "auth"


class HeadSigner:
    """Signs heads with the newest key; the first is made when it is needed."""

    def __init__(self, store: AuditStore, signing: HeadSigning, clock: Clock) -> None:
        self._store = store
        self._signing = signing
        self._clock = clock

    async def ensure_key(self) -> None:
        """Make the first key unless there is one."""
        async with self._store.transaction() as tx:
            await tx.exclude_others(_KEY_WORK)
            if await tx.signing_key() is None:
                await tx.add_key(*self._signing.generate(self._clock()))

    async def rotate(self) -> AuditKey:
        """Make a key that signs from now on; earlier ones go on verifying what they signed."""
        async with self._store.transaction() as tx:
            await tx.exclude_others(_KEY_WORK)
            key, private_key = self._signing.generate(self._clock())
            await tx.add_key(key, private_key)
        return key

    async def sign(self, tx: AuditTransaction, make: Callable[[str], Head]) -> Head:
        """Sign and store the head that is made for the id of the newest key."""
        found = await tx.signing_key()
        if found is None:
            found = self._signing.generate(self._clock())
            await tx.add_key(*found)
        key, private_key = found
        head = make(key.key_id).with_signature(
            lambda payload: self._signing.sign(private_key, payload)
        )
        await tx.add_head(head)
        return head

    async def sign_chain(self, tx: AuditTransaction, chain: Chain) -> Head | None:
        """Sign a chain, which is locked, as it is; None if it was."""
        if chain.sequence == chain.signed_sequence:
            return None
        return await self.sign(tx, lambda key_id: unsigned_head(chain, key_id, self._clock()))

    async def sign_due(self) -> list[Head]:
        """Sign some of the chains that have grown; return their heads: none once all are signed."""
        async with self._store.transaction() as tx:
            due = await tx.list_unsigned(_CHAINS_PER_ROUND)
        heads = []
        for company_id in due:
            async with self._store.transaction() as tx:
                head = await self.sign_chain(tx, await tx.lock_chain(company_id))
            if head is not None:
                heads.append(head)
        return heads


class SealAct:
    """Gives acts their place in the chain of their company."""

    def __init__(
        self, store: AuditStore, signer: HeadSigner, recorder: AuditRecorder, clock: Clock
    ) -> None:
        self._store = store
        self._signer = signer
        self._recorder = recorder
        self._clock = clock

    async def __call__(self, act: Act, personal: Personal) -> None:
        """Seal an act; one that was sealed before changes nothing."""
        async with self._store.transaction() as tx:
            if not await tx.first_delivery(CONSUMER, act.event_id):
                return
            chain = await tx.lock_chain(act.company_id)
            # Within the lock, so that the times of a chain follow its order.
            now = self._clock()
            record = chain.follow(act, await tx.seal(chain, act.event_id, personal), now)
            await tx.append(record)
            if record.sequence - chain.signed_sequence >= RECORDS_PER_HEAD_MAX:
                await self._signer.sign_chain(tx, await tx.lock_chain(act.company_id))
        self._recorder.sealed((now - act.occurred_at).total_seconds())


@dataclass(frozen=True, slots=True)
class PruneAudit:
    """Removes what is older than it has to be kept, and signs where the chain begins from then."""

    store: AuditStore
    signer: HeadSigner
    kept: timedelta
    clock: Clock

    async def due(self) -> list[uuid.UUID]:
        """Find chains that begin with something too old."""
        async with self.store.transaction() as tx:
            before = self.clock() - self.kept - _PRUNING_SLACK
            return list(await tx.list_prunable(before, _CHAINS_PER_ROUND))

    async def prune(self, company_id: uuid.UUID) -> int:
        """Remove some of a chain, all together or none; tell how many: 0 once all is done."""
        now = self.clock()
        async with self.store.transaction() as tx:
            chain = await tx.lock_chain(company_id)
            last = await tx.last_before(chain, now - self.kept, _PRUNED_PER_ROUND_MAX)
            if last is None:
                return 0
            # The head goes first: what follows the checkpoint stays under a signature.
            await self.signer.sign_chain(tx, chain)
            checkpoint = await self.signer.sign(
                tx, lambda key_id: unsigned_checkpoint(last, key_id, now)
            )
            await tx.prune(checkpoint)
        return last.sequence - chain.pruned_sequence


@dataclass(frozen=True, slots=True)
class EraseAuditPersonalData:
    """Destroys the key to what a company's log says of people beyond ids.

    The chain stays, and stays verifiable: hashes cover what was encrypted, not what it says. The
    erasure is a record in it, and what arrives later is sealed without personal data.
    """

    store: AuditStore
    signer: HeadSigner
    clock: Clock
    new_id: Callable[[], uuid.UUID]

    async def __call__(self, company_id: uuid.UUID) -> bool:
        """Destroy a company's key; tell whether there was one."""
        if company_id == PLATFORM:
            raise ValueError("the platform's log is no company's")
        async with self.store.transaction() as tx:
            chain = await tx.lock_chain(company_id)
            if chain.erased_at is not None:
                return False
            now = self.clock()
            await tx.destroy_key(company_id, now)
            chain = await tx.lock_chain(company_id)
            act = _erasure(company_id, self.new_id(), now)
            record = chain.follow(act, await tx.seal(chain, act.event_id, Personal("", "")), now)
            await tx.append(record)
            await self.signer.sign_chain(tx, await tx.lock_chain(company_id))
        return True


def _erasure(company_id: uuid.UUID, event_id: uuid.UUID, now: datetime) -> Act:
    return Act(
        event_id=event_id,
        company_id=company_id,
        occurred_at=now,
        service=_SERVICE,
        action=f"{_SERVICE}.background/EraseAuditPersonalData",
        outcome="OK",
        actor_kind="service",
        actor_id=_SERVICE,
        actor_role="",
        actor_company_id="",
        resource_type="company",
        resource_id=str(company_id),
        changed_fields=(),
        trace_id="",
    )
