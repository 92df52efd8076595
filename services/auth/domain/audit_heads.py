"""Signed heads of the audit log, and what verifying a chain against them finds."""

import enum
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from services.auth.domain.audit import GENESIS_HASH, VERSION, Chain, Record, canonical, spelled_time

_PURPOSE = "dashtrack-audit"


class HeadKind(enum.StrEnum):
    """What a head vouches for."""

    HEAD = "head"
    """The record at its sequence, and by the chain all before it."""
    CHECKPOINT = "checkpoint"
    """That everything up to its sequence was there, and was removed by retention."""


@dataclass(frozen=True, slots=True)
class AuditKey:
    """A key pair that signs heads; public halves stay for as long as there are heads."""

    key_id: str
    public_key: bytes
    created_at: datetime


def key_id_of(public_key: bytes) -> str:
    """Name a key after what it is."""
    return hashlib.sha256(public_key).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """A signature under a chain as it was."""

    company_id: uuid.UUID
    kind: HeadKind
    sequence: int
    hash: bytes
    signed_at: datetime
    key_id: str
    signature: bytes

    def signed(self) -> bytes:
        """Return the bytes that are signed."""
        return canonical(
            {
                "company_id": str(self.company_id),
                "hash": self.hash.hex(),
                "key_id": self.key_id,
                "kind": self.kind.value,
                "purpose": _PURPOSE,
                "sequence": self.sequence,
                "sign_time": spelled_time(self.signed_at),
                "version": VERSION,
            }
        )

    def with_signature(self, sign: Callable[[bytes], bytes]) -> "Head":
        """Return the head signed."""
        return replace(self, signature=sign(self.signed()))


def unsigned_head(chain: Chain, key_id: str, now: datetime) -> Head:
    """Make the head of a chain as it is, still to be signed."""
    return Head(chain.company_id, HeadKind.HEAD, chain.sequence, chain.hash, now, key_id, b"")


def unsigned_checkpoint(last_pruned: Record, key_id: str, now: datetime) -> Head:
    """Make the head that takes the place of what retention removes, still to be signed."""
    return Head(
        last_pruned.act.company_id,
        HeadKind.CHECKPOINT,
        last_pruned.sequence,
        last_pruned.hash,
        now,
        key_id,
        b"",
    )


class Problem(enum.StrEnum):
    """What can be wrong with a chain."""

    MISSING = "missing"
    """A record should come here that doesn't."""
    ALTERED = "altered"
    """The record does not hash to what it claims."""
    UNCHAINED = "unchained"
    """The record does not follow the one before."""
    SIGNATURE = "signature"
    """A head is not signed by a known key, or says another hash than the record."""
    PERSONAL = "personal"
    """The personal data shown are not those that were recorded."""
    TRUNCATED = "truncated"
    """The chain went on once, as a head or its own counter says, and ends here now."""


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a chain isn't what it was."""

    sequence: int
    problem: Problem


class SignatureInvalid(Exception):
    """A head was not signed by the key that it names."""


Verify = Callable[[Head], None]
"""Checks a head's signature, raising SignatureInvalid."""


class ChainVerifier:
    """Follows a chain record by record, in bounded memory, until something doesn't fit."""

    def __init__(
        self,
        verify: Verify,
        company_id: uuid.UUID,
        *,
        sequence: int = 0,
        hash_before: bytes = GENESIS_HASH,
    ) -> None:
        """Begin after a record that is known to be good: by default before the first."""
        self._verify = verify
        self._company_id = company_id
        self.sequence = sequence
        self._hash = hash_before
        self.attested_sequence = sequence
        """The last record that a good signature covers."""

    def start(self, checkpoint: Head) -> Break | None:
        """Begin where retention says that the chain begins now."""
        broken = self._check_signature(checkpoint)
        if broken is None:
            self.sequence, self._hash = checkpoint.sequence, checkpoint.hash
            self.attested_sequence = checkpoint.sequence
        return broken

    def adopt(self, record: Record) -> None:
        """Begin with a record in the middle: a head that follows vouches for it too."""
        self.sequence, self._hash = record.sequence - 1, record.previous_hash
        self.attested_sequence = self.sequence

    def take(self, record: Record, *, personal_matches: bool = True) -> Break | None:
        """Check the record that should come next."""
        expected = self.sequence + 1
        if record.sequence != expected or record.act.company_id != self._company_id:
            return Break(expected, Problem.MISSING)
        if record.previous_hash != self._hash:
            return Break(expected, Problem.UNCHAINED)
        if record.computed_hash() != record.hash:
            return Break(expected, Problem.ALTERED)
        if not personal_matches:
            return Break(expected, Problem.PERSONAL)
        self.sequence, self._hash = expected, record.hash
        return None

    def take_head(self, head: Head) -> Break | None:
        """Check a head of the record that was taken last."""
        if head.sequence != self.sequence:
            return Break(self.sequence + 1, Problem.TRUNCATED)
        if head.kind is not HeadKind.HEAD or head.hash != self._hash:
            return Break(self.sequence, Problem.SIGNATURE)
        broken = self._check_signature(head)
        if broken is None:
            self.attested_sequence = head.sequence
        return broken

    def end(self, chain: Chain) -> Break | None:
        """Check that the chain ends where its counter says."""
        if self.sequence < chain.sequence:
            return Break(self.sequence + 1, Problem.TRUNCATED)
        if self.sequence > chain.sequence or self._hash != chain.hash:
            return Break(self.sequence, Problem.UNCHAINED)
        if self.attested_sequence < chain.signed_sequence <= self.sequence:
            return Break(chain.signed_sequence, Problem.SIGNATURE)
        return None

    def _check_signature(self, head: Head) -> Break | None:
        if head.company_id != self._company_id:
            return Break(head.sequence, Problem.SIGNATURE)
        try:
            self._verify(head)
        except SignatureInvalid:
            return Break(head.sequence, Problem.SIGNATURE)
        return None
