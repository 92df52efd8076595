"""What the audit log needs from the outside.

A chain is locked before anything is added to it, so that records are sealed strictly one by one
over all replicas.
"""

import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.auth.domain.audit import Chain, Personal, Record, SealedPersonal
from services.auth.domain.audit_heads import AuditKey, Head


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """A record, with its personal data as far as they can still be read."""

    record: Record
    personal: Personal | None
    salt: bytes
    personal_matches: bool
    """False if there is a key and the data are not those that were recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which records of a log are wanted; what is left out doesn't matter."""

    start: datetime | None = None
    end: datetime | None = None
    actor_id: str = ""
    action: str = ""
    resource_type: str = ""
    resource_id: str = ""
    outcome: str = ""


class AuditTransaction(Protocol):
    """One unit of work on the audit log."""

    async def first_delivery(self, consumer: str, event_id: uuid.UUID) -> bool:
        """Note that a consumer got an event; False if it had it before."""

    async def exclude_others(self, work: str) -> None:
        """Wait until no other transaction does this work, and keep others from it."""

    async def lock_chain(self, company_id: uuid.UUID) -> Chain:
        """Return a chain, begun if there is none, and keep others from adding to it."""

    async def find_chain(self, company_id: uuid.UUID) -> Chain | None:
        """Return a chain."""

    async def seal(self, chain: Chain, act_id: uuid.UUID, personal: Personal) -> SealedPersonal:
        """Encrypt personal data under the chain's key; nothing is left of them if it has none."""

    async def append(self, record: Record) -> None:
        """Add a record to its chain, which is locked."""

    async def list_newest(
        self, company_id: uuid.UUID, query: AuditQuery, before: int | None, limit: int
    ) -> Sequence[ShownRecord]:
        """Return records that a query matches, newest first, those before a sequence number."""

    async def read(self, company_id: uuid.UUID, after: int, limit: int) -> Sequence[ShownRecord]:
        """Return the records after a sequence number, oldest first."""

    async def stretch(
        self, company_id: uuid.UUID, start: datetime | None, end: datetime | None
    ) -> tuple[int, int] | None:
        """Return the first and the last sequence number of what happened between two moments."""

    async def list_heads(
        self, company_id: uuid.UUID, before: int | None, limit: int
    ) -> Sequence[Head]:
        """Return heads, newest first, those before a sequence number."""

    async def read_heads(
        self, company_id: uuid.UUID, first: int, last: int | None, limit: int
    ) -> Sequence[Head]:
        """Return the heads from one sequence number to another, oldest first."""

    async def find_checkpoint(self, company_id: uuid.UUID) -> Head | None:
        """Return the head that stands for what retention has removed."""

    async def add_head(self, head: Head) -> None:
        """Store a head of a chain that is locked, unless there is one."""

    async def list_unsigned(self, limit: int) -> Sequence[uuid.UUID]:
        """Return chains that have grown since they were last signed."""

    async def list_prunable(self, before: datetime, limit: int) -> Sequence[uuid.UUID]:
        """Return chains whose first record was sealed before a moment."""

    async def last_before(self, chain: Chain, before: datetime, limit: int) -> Record | None:
        """Return the last of a chain's oldest records, as many at most, sealed before a moment."""

    async def prune(self, checkpoint: Head) -> None:
        """Remove everything of a chain, which is locked, that a checkpoint stands for."""

    async def destroy_key(self, company_id: uuid.UUID, now: datetime) -> None:
        """Destroy the key to a chain's personal data, which is locked, for good."""

    async def keys(self) -> Sequence[AuditKey]:
        """Return the public halves of all keys that ever signed heads, oldest first."""

    async def own_keys(self) -> Sequence[AuditKey]:
        """Return the keys that this service made, as their sealed private halves prove."""

    async def signing_key(self) -> tuple[AuditKey, bytes] | None:
        """Return the newest key with its private half."""

    async def add_key(self, key: AuditKey, private_key: bytes) -> None:
        """Store a key, which signs from now on."""


class AuditStore(Protocol):
    """Where the audit log is kept."""

    def transaction(self) -> AbstractAsyncContextManager[AuditTransaction]:
        """Begin a unit of work that commits at the end of the block, or not at all if it raises."""


class HeadSigning(Protocol):
    """Signs heads and verifies them."""

    def generate(self, now: datetime) -> tuple[AuditKey, bytes]:
        """Make a key pair."""

    def sign(self, private_key: bytes, payload: bytes) -> bytes:
        """Sign."""

    def verify(self, keys: Sequence[AuditKey], head: Head) -> None:
        """Check a head's signature.

        Raises:
            SignatureInvalid: no such key, or it signed something else.
        """


class AuditRecorder(Protocol):
    """Counts how the audit log fares."""

    def sealed(self, lag_s: float) -> None:
        """Count a record that was sealed, so long after it happened."""

    def verified(self, company_id: uuid.UUID, *, intact: bool) -> None:
        """Note what verifying a chain has found."""
