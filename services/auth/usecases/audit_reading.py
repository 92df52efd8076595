"""Showing the audit log, and proving that it is what was chained."""

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from services.auth.domain.audit import PLATFORM, Chain
from services.auth.domain.audit_heads import AuditKey, Break, ChainVerifier, Head
from services.auth.domain.errors import CompanyNotFound
from services.auth.ports.audit import (
    AuditQuery,
    AuditRecorder,
    AuditStore,
    AuditTransaction,
    HeadSigning,
    ShownRecord,
)
from services.auth.usecases.audit_sealing import HeadSigner
from services.chassis.identity import Caller

_BATCH_SIZE = 100
"""Recomputed at once: whoever logs in meanwhile waits for no more than that."""
VERIFIED_PER_CALL_MAX = 10_000


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A part of a log, and before which record the next part ends: None on the last."""

    records: Sequence[ShownRecord]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class HeadPage:
    """A part of a log's heads with all keys, and before which head the next part ends."""

    heads: Sequence[Head]
    keys: Sequence[AuditKey]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying a stretch of a chain has found."""

    verified_sequence: int
    complete: bool
    broken: Break | None


def log_of(caller: Caller, named: uuid.UUID | None) -> uuid.UUID:
    """Return whose log a caller reads: the one that they name, or their own.

    Raises:
        CompanyNotFound: it is not theirs to read.
    """
    if named is None:
        return caller.scope.company_id or PLATFORM
    if not caller.scope.includes(named):
        raise CompanyNotFound(named)
    return named


class AuditReading:
    """The operations on the audit log."""

    def __init__(
        self,
        store: AuditStore,
        signer: HeadSigner,
        signing: HeadSigning,
        recorder: AuditRecorder,
    ) -> None:
        self._store = store
        self._signer = signer
        self._signing = signing
        self._recorder = recorder

    async def list_records(
        self, company_id: uuid.UUID, query: AuditQuery, *, before: int | None, limit: int
    ) -> RecordPage:
        """Return a page of a log, newest first."""
        async with self._store.transaction() as tx:
            # One more than asked for tells whether there is a next page.
            found = await tx.list_newest(company_id, query, before, limit + 1)
        page = found[:limit]
        return RecordPage(page, page[-1].record.sequence if len(found) > limit else None)

    async def list_heads(
        self, company_id: uuid.UUID, *, before: int | None, limit: int
    ) -> HeadPage:
        """Return a page of a log's heads, newest first, with all keys."""
        async with self._store.transaction() as tx:
            found = await tx.list_heads(company_id, before, limit + 1)
            keys = await tx.keys()
        page = found[:limit]
        return HeadPage(page, keys, page[-1].sequence if len(found) > limit else None)

    async def export(
        self, company_id: uuid.UUID, start: datetime | None, end: datetime | None
    ) -> AsyncGenerator[ShownRecord | Head, None]:
        """Yield a stretch of a log without gaps, oldest first, each head after its record.

        A log that begins with a checkpoint is exported with it; a stretch goes on to the head
        that vouches for its last record.
        """
        async with self._store.transaction() as tx:
            chain = await tx.find_chain(company_id)
            if chain is not None and chain.sequence > chain.signed_sequence:
                await self._signer.sign_chain(tx, await tx.lock_chain(company_id))
            found = await tx.stretch(company_id, start, end)
            if found is None:
                return
            first, last = found
            heads = await tx.read_heads(company_id, last, None, 1)
            checkpoint = await tx.find_checkpoint(company_id)
        last = heads[0].sequence if heads else last
        if checkpoint is not None and checkpoint.sequence == first - 1:
            yield checkpoint
        async with aclosing(self._walk(company_id, first - 1, last)) as items:
            async for item in items:
                yield item

    async def verify(
        self, company_id: uuid.UUID, *, after: int = 0, known: Sequence[AuditKey] = ()
    ) -> Verdict:
        """Recompute a chain and check its heads, from a record on that was found to be good.

        Args:
            company_id: whose chain.
            after: that record; 0 to begin.
            known: keys that vouch besides the service's own.
        """
        async with self._store.transaction() as tx:
            chain = await tx.find_chain(company_id)
            if chain is None:
                return Verdict(0, complete=True, broken=None)
            verifier = await self._verifier(tx, chain, known)
            broken = await self._begin(tx, verifier, chain, after)
        done = verifier.sequence
        if broken is None:
            broken = await self._follow(verifier, company_id, done + VERIFIED_PER_CALL_MAX)
        complete = verifier.sequence - done < VERIFIED_PER_CALL_MAX
        if broken is None and complete:
            broken = await self._check_end(verifier, company_id)
        self._recorder.verified(company_id, intact=broken is None)
        return Verdict(verifier.sequence, complete and broken is None, broken)

    async def _verifier(
        self, tx: AuditTransaction, chain: Chain, known: Sequence[AuditKey]
    ) -> ChainVerifier:
        keys = [*await tx.own_keys(), *known]
        return ChainVerifier(lambda head: self._signing.verify(keys, head), chain.company_id)

    async def _begin(
        self, tx: AuditTransaction, verifier: ChainVerifier, chain: Chain, after: int
    ) -> Break | None:
        if after > chain.pruned_sequence:
            for shown in await tx.read(chain.company_id, after - 1, 1):
                verifier.adopt(shown.record)
                return verifier.take(shown.record, personal_matches=shown.personal_matches)
        checkpoint = await tx.find_checkpoint(chain.company_id)
        return None if checkpoint is None else verifier.start(checkpoint)

    async def _follow(
        self, verifier: ChainVerifier, company_id: uuid.UUID, last: int
    ) -> Break | None:
        async with aclosing(self._walk(company_id, verifier.sequence, last)) as items:
            async for item in items:
                if isinstance(item, Head):
                    broken = verifier.take_head(item)
                else:
                    broken = verifier.take(item.record, personal_matches=item.personal_matches)
                if broken is not None:
                    return broken
        return None

    async def _check_end(self, verifier: ChainVerifier, company_id: uuid.UUID) -> Break | None:
        """Compare the end with the counter; records that came meanwhile are taken in first."""
        async with self._store.transaction() as tx:
            chain = await tx.lock_chain(company_id)
            while records := await tx.read(company_id, verifier.sequence, _BATCH_SIZE):
                for shown in records:
                    broken = verifier.take(shown.record, personal_matches=shown.personal_matches)
                    if broken is not None:
                        return broken
            # A head that came while the walk was under way has not been seen by it.
            for head in await tx.read_heads(company_id, verifier.sequence, None, 1):
                if head.sequence > verifier.attested_sequence:
                    broken = verifier.take_head(head)
                    if broken is not None:
                        return broken
        return verifier.end(chain)

    async def _walk(
        self, company_id: uuid.UUID, after: int, last: int
    ) -> AsyncGenerator[ShownRecord | Head, None]:
        """Yield records and their heads up to a sequence number, in bounded memory."""
        while after < last:
            limit = min(_BATCH_SIZE, last - after)
            async with self._store.transaction() as tx:
                records = await tx.read(company_id, after, limit)
                until = records[-1].record.sequence if len(records) == limit else last
                heads = await tx.read_heads(company_id, after + 1, until, _BATCH_SIZE)
            heads_left = list(heads)
            for shown in records:
                # A head without its record comes where the record is missing.
                while heads_left and heads_left[0].sequence < shown.record.sequence:
                    yield heads_left.pop(0)
                yield shown
                while heads_left and heads_left[0].sequence == shown.record.sequence:
                    yield heads_left.pop(0)
            for head in heads_left:
                yield head
            if len(records) < limit:
                return
            after = records[-1].record.sequence
